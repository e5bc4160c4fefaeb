import { cp, mkdir, readFile, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ThinReport } from "../../../src/engine/ports.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { entriesOf, PAGE, PRESENT, readPagemap } from "../../../src/images/pagemap.ts";
import { readStatsDump } from "../../../src/images/stats-dump.ts";
import { flatten } from "../../../src/vault/flatten.ts";
import { foldMemory } from "../../../src/vault/pages-fold.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { everything, readBack } from "../../../src/vault/read-back.ts";
import { thin } from "../../../src/vault/thin.ts";
import { ignore, scratchFolder } from "../../integration/vault-pages/image-folders.ts";
import { ByCriu, until } from "./by-criu.ts";

const platform = inject("platform");
const criu = process.env["HOLDFAST_CRIU_COMMAND"]?.split(" ") ?? (platform?.ready ? platform.criu : []);
const reason = process.geteuid?.() !== 0 ? "needs root" : criu.length === 0 ? "no CRIU; set HOLDFAST_CRIU_COMMAND" : null;
if (reason !== null && process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error(`real CRIU is required: ${reason}`);

const steps = 24;
const sharedMib = 128;

/**
 * The program looks at every page of three processes at every step: pages that are zeros here and not in the parent process, over files and over
 * /dev/zero, locked, read-only, shared ... It ends with 7 only if all of them are right.
 */
describe.skipIf(reason !== null)(`zeros left out${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let root: string;
  let host: ByCriu;
  const chain: SealedFolder[] = [];
  const reports: ThinReport[] = [];
  const at = (...parts: (string | number)[]): string => path.join(root, ...parts.map(String));

  beforeAll(async () => {
    root = await scratchFolder();
    host = new ByCriu(root, criu);
    await host.build(path.join(import.meta.dirname, "zeros.c"), at("zeros"));
  }, 120_000);

  afterAll(async () => {
    await host.close();
    await rm(root, { recursive: true, force: true });
  });

  test("three full dumps become a base and two small increments without the zeros of plain and shared memory", async () => {
    const job = await host.start([at("zeros"), at("file"), String(steps), "150", String(sharedMib)], at("out"));
    for (const k of [1, 2, 3]) {
      await until(async () => Number((await readFile(at("out"), "utf8")).trim().split("\n").at(-1)) >= 3 * k);
      await host.dump(job, at(`full${k}`));
    }
    await host.end(job);
    for (const k of [1, 2, 3]) {
      await cp(at(`full${k}`), at("staging"), { recursive: true });
      await mkdir(at(k));
      const folders = chain.map(({ folder }) => folder);
      const parentLink = k === 1 ? null : `../${k - 1}`;
      const report = await thin({ staging: at("staging"), into: at(k), chain: folders, parentLink, zeros: "left-out" }, ignore);
      await rm(at("staging"), { recursive: true });
      chain.unshift({ number: k, folder: at(k), digests: report.digests, parent: k === 1 ? null : { number: k - 1, id: "x" } });
      reports.push(report);

      const stats = readStatsDump(await readFile(at(k, "stats-dump")), "stats-dump");
      expect(report.pagesKept + report.pagesShared + report.pagesBlank).toBe(stats.pagesWritten + stats.shpagesWritten);
      expect(stats.shpagesWritten * PAGE).toBeGreaterThan(sharedMib * 2 ** 20);
      if (k > 1) expect(report.pagesKept * PAGE).toBeLessThan(4 * 2 ** 20);
      expect((await readBack([chain], everything, ignore)).damage).toEqual([]);
    }
    expect(reports.every(({ pagesBlank }) => pagesBlank > 20)).toBe(true);
    process.stdout.write(`${JSON.stringify(await figures())}\n`);
  }, 180_000);

  /** Bytes of shared pages CRIU wrote, and of those that are kept, per generation. */
  async function figures(): Promise<readonly unknown[]> {
    const found = [];
    for (const k of [1, 2, 3]) {
      const names = Object.keys(chain[3 - k]?.digests ?? {}).filter((name) => isPagemapName(name) && name.includes("shmem"));
      let [full, kept] = [0, 0];
      for (const name of names) [full, kept] = [full + (await stored(at(`full${k}`), name)), kept + (await stored(at(k), name))];
      found.push({ generation: k, sharedFull: full, sharedKept: kept, blank: reports[k - 1]?.pagesBlank });
    }
    return found;
  }

  async function stored(folder: string, name: string): Promise<number> {
    const map = readPagemap(await readFile(path.join(folder, name)), name);
    return [...entriesOf(map)].reduce((sum, { pages, flags }) => sum + ((flags & PRESENT) !== 0 ? pages * PAGE : 0), 0);
  }

  test("a flat copy and a fold onto the base are made of them", async () => {
    const folders = chain.map(({ folder }) => folder);
    await flatten(folders, at("flat"));
    await cp(at(3), at("4"), { recursive: true, verbatimSymlinks: true });
    for (const name of Object.keys(chain[0]?.digests ?? {}).filter(isPagemapName)) {
      const { pagesId } = readPagemap(await readFile(at(3, name)), name);
      for (const file of [name, `pages-${pagesId}.img`]) await rm(at("4", file));
      await foldMemory({ folders, name, parent: 2 }, at("4"), ignore);
    }
    await rm(at("4", "parent"));
    await symlink("../1", at("4", "parent"));
  }, 60_000);

  test.each(["3", "2", "1", "flat", "4"])(
    "criu restores %s, and every page of every process is right to the end",
    async (images) => {
      expect(await host.restore(at(images))).toBe("exited 7");
      expect(await readFile(at("out"), "utf8")).not.toContain("BAD");
    },
    120_000,
  );
});

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, readlink, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ThinReport } from "../../../src/engine/ports.ts";
import { isPagemapName } from "../../../src/images/image-names.ts";
import { highestPid, readPstree } from "../../../src/images/pstree.ts";
import { readStatsDump } from "../../../src/images/stats-dump.ts";
import { flatten } from "../../../src/vault/flatten.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { thin } from "../../../src/vault/thin.ts";
import { everything, readBack } from "../../../src/vault/read-back.ts";
import { contentOf, ignore, scratchFolder } from "../../integration/vault-pages/image-folders.ts";

const run = promisify(execFile);
const platform = inject("platform");
/** The words to run CRIU by: those of HOLDFAST_CRIU_COMMAND, or what the floor's set-up found. */
const criu = process.env["HOLDFAST_CRIU_COMMAND"]?.split(" ") ?? (platform?.ready ? platform.criu : []);
const reason = process.geteuid?.() !== 0 ? "needs root" : criu.length === 0 ? "no CRIU; set HOLDFAST_CRIU_COMMAND" : null;
if (reason !== null && process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error(`real CRIU is required: ${reason}`);

const steps = 40;

describe.skipIf(reason !== null)(`with real CRIU${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let root: string;
  let python: string;
  /** Step to line, of an undisturbed run. */
  let truth: Map<number, string>;
  /** Newest first. */
  const chain: SealedFolder[] = [];
  const dumpedAt: number[] = [];
  const inits: number[] = [];
  const at = (...parts: (string | number)[]): string => path.join(root, ...parts.map(String));
  const program = path.join(import.meta.dirname, "memories.py");
  const make = async (k: number, dump: string): Promise<ThinReport> => {
    await cp(dump, at("staging"), { recursive: true });
    await mkdir(at(k));
    const folders = chain.map(({ folder }) => folder);
    const parentLink = k === 1 ? null : `../${k - 1}`;
    const report = await thin({ staging: at("staging"), into: at(k), chain: folders, parentLink }, ignore);
    await rm(at("staging"), { recursive: true });
    chain.unshift({ number: k, folder: at(k), digests: report.digests, parent: k === 1 ? null : { number: k - 1, id: "x" } });
    return report;
  };
  const lines = async (): Promise<string[]> => (await readFile(at("out"), "utf8")).split("\n").filter((line) => line !== "");
  const stepOf = (line: string | undefined): number => Number(line?.split(" ")[0] ?? 0);

  beforeAll(async () => {
    root = await scratchFolder();
    const init = path.join(import.meta.dirname, "../../../src/host/init.c");
    await run("cc", ["-static", "-O2", "-o", at("holdfast-init"), init], { timeout: 60_000 });
    python = (await run("python3", ["-c", "import sys; print(sys.executable)"])).stdout.trim();
    const undisturbed = await run(python, [program, String(steps), "0"], { timeout: 60_000 }).catch((error: unknown) => error);
    expect(undisturbed).toMatchObject({ code: 7 });
    truth = new Map((undisturbed as { stdout: string }).stdout.split("\n").map((line) => [stepOf(line), line]));
  }, 120_000);

  afterAll(async () => {
    for (const pid of inits) {
      // Most have ended by themselves, and their pids may be others' by now.
      const program = await readlink(`/proc/${pid}/exe`).catch(() => null);
      if (program === at("holdfast-init")) process.kill(pid, "SIGKILL");
    }
    await rm(root, { recursive: true, force: true });
  });

  test("three full dumps become a base and two increments that hold the same memory, private and shared", async () => {
    await mkdir(at("run"));
    await run(at("holdfast-init"), [
      "-r",
      at("run"),
      "-i",
      "-o",
      at("out"),
      "-e",
      at("err"),
      "--",
      python,
      program,
      String(steps),
      "0.1",
    ]);
    const init = Number(await readFile(at("run", "init"), "utf8"));
    inits.push(init);
    const vpid = (await readFile(at("run", "root"), "utf8")).trim();
    for (const k of [1, 2, 3]) {
      await until(async () => (await lines()).length >= 3 * k);
      dumpedAt[k] = stepOf((await lines()).at(-1));
      await mkdir(at(`full${k}`));
      const options = [
        "--no-default-config",
        "-t",
        vpid,
        "-D",
        at(`full${k}`),
        "-R",
        "-v4",
        "-o",
        "dump.log",
        "--manage-cgroups=ignore",
      ];
      await run("nsenter", ["-t", String(init), "-p", "-m", ...criu, "dump", ...options], { timeout: 60_000 });
    }
    process.kill(init, "SIGKILL");
    await until(async () => !existsSync(`/proc/${init}`));

    for (const k of [1, 2, 3]) {
      const report = await make(k, at(`full${k}`));
      const pagemaps = Object.keys(report.digests).filter(isPagemapName);
      expect(pagemaps.filter((name) => name.includes("shmem"))).toHaveLength(2);
      expect(pagemaps).toHaveLength(5);
      for (const name of pagemaps) expect(await contentOf(at(k), name)).toEqual(await contentOf(at(`full${k}`), name));
      const stats = readStatsDump(await readFile(at(k, "stats-dump")), "stats-dump");
      const written = stats.pagesWritten + stats.shpagesWritten;
      expect(report.pagesKept + report.pagesShared).toBe(written);
      if (k > 1) expect(report.pagesKept).toBeLessThan(written / 4);
      const processes = readPstree(await readFile(at(k, "pstree.img")), "pstree.img");
      expect(report).toMatchObject({ processes: 3, highestPid: highestPid(processes) });
      expect((await readBack([chain], everything, ignore)).damage).toEqual([]);
    }
  }, 120_000);

  test("of the same dump once more no page is kept", async () => {
    expect(await make(4, at("full3"))).toMatchObject({ pagesKept: 0 });
  }, 60_000);

  test("a flat copy of the last point holds the same memory", async () => {
    await flatten(
      chain.map(({ folder }) => folder),
      at("flat"),
    );
    for (const name of Object.keys(chain[0]?.digests ?? {}).filter(isPagemapName)) {
      expect(await contentOf(at("flat"), name)).toEqual(await contentOf(at("full3"), name));
    }
    // It stands alone, wherever it is taken.
    await run("mv", [at("flat"), at("elsewhere")]);
  });

  test.each([
    ["an increment that holds no page itself", 3, "4"],
    ["one that holds some", 3, "3"],
    ["the one before", 2, "2"],
    ["the base", 1, "1"],
    ["the flat copy", 3, "elsewhere"],
  ])(
    "criu restores %s, and the program ends as if nothing had been",
    async (_what, k, images) => {
      const before = (await lines()).length;
      const folder = at(`run-${images}`);
      await mkdir(folder);
      const options = [
        "-D",
        at(images),
        "-W",
        folder,
        "-v4",
        "-o",
        "restore.log",
        "--pidfile",
        path.join(folder, "pidfile"),
        "--manage-cgroups=ignore",
      ];
      const words = [...criu, "restore", "--no-default-config", "-d", "-S", ...options];
      await run(at("holdfast-init"), ["-r", folder, "-n", "5000", "-p", path.join(folder, "pidfile"), "--", ...words], {
        timeout: 60_000,
      });
      inits.push(Number(await readFile(path.join(folder, "init"), "utf8")));
      await until(async () => existsSync(path.join(folder, "exit")));
      expect((await readFile(path.join(folder, "exit"), "utf8")).trim()).toBe("exited 7");
      const said = (await lines()).slice(before);
      // The dump may fall between a line and the note of it.
      expect(stepOf(said[0]) - (dumpedAt[k] ?? 0)).toBeGreaterThanOrEqual(1);
      expect(stepOf(said[0]) - (dumpedAt[k] ?? 0)).toBeLessThanOrEqual(5);
      expect(said).toEqual(Array.from({ length: steps - stepOf(said[0]) + 1 }, (_, i) => truth.get(stepOf(said[0]) + i)));
    },
    120_000,
  );
});

async function until(ask: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await ask().catch(() => false)) return;
    await sleep(50);
  }
  throw new Error("it does not come true in half a minute");
}

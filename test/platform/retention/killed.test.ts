import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { child, type Ended, succeed } from "../child.ts";
import { launcher } from "../setup.ts";
import { made, makeChain, pagesIn } from "./made-chain.ts";

const platform = inject("platform");
const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? "4");
const COUNT = 9;
const kept = ["3", "6", "8", "9"];

describe.skipIf(!platform.ready)("retention of a vault", () => {
  let root: string;
  let before: Awaited<ReturnType<typeof pagesIn>>;
  let milliseconds: number;
  const env = (): Record<string, string> => ({
    HOLDFAST_VAULT: path.join(root, "vault"),
    HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite"),
  });
  /** Runs `holdfast WORDS`, which must end with this status. */
  const holdfast = async (status: number, ...words: readonly string[]): Promise<Ended> => {
    const ended = await child([launcher, ...words], { env: env() });
    if (ended.status !== status)
      throw new Error(`holdfast ${words.join(" ")} ended with ${ended.status}\n${ended.stdout}${ended.stderr}`);
    return ended;
  };
  const generations = (): string => path.join(root, "vault/jobs", made, "generations");

  /** The vault and the catalogue as they were before the first pass. */
  async function asItWas(): Promise<void> {
    for (const name of ["vault", "catalogue.sqlite", "catalogue.sqlite-wal", "catalogue.sqlite-shm"]) {
      await rm(path.join(root, name), { recursive: true, force: true });
    }
    // Hard links: a vault never writes into a file that is there.
    await succeed(["cp", "-al", path.join(root, "original"), path.join(root, "vault")]);
    await cp(path.join(root, "original.sqlite"), path.join(root, "catalogue.sqlite"));
  }

  async function keptOf(pages: typeof before): Promise<typeof before> {
    return Object.fromEntries(Object.entries(pages).filter(([number]) => kept.includes(number)));
  }

  beforeAll(async () => {
    root = await mkdtemp("/var/tmp/holdfast-test-killed-");
    await makeChain(path.join(root, "vault"), COUNT);
    for (const words of [
      ["hold", made, "--point", "3"],
      ["hold", made, "--point", "6"],
      ["policy", made, "--keep", "last=2"],
    ]) {
      await succeed([launcher, ...words], { env: env() });
    }
    await cp(path.join(root, "vault"), path.join(root, "original"), { recursive: true, verbatimSymlinks: true });
    await cp(path.join(root, "catalogue.sqlite"), path.join(root, "original.sqlite"));
    before = await pagesIn(path.join(root, "vault"));
    const began = performance.now();
    await succeed([launcher, "expire", made], { env: env() });
    milliseconds = performance.now() - began;
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test("a pass that nobody disturbs keeps every page of every kept point", async () => {
    expect((await readdir(generations())).toSorted()).toEqual(kept);
    expect(await pagesIn(path.join(root, "vault"))).toEqual(await keptOf(before));
  });

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    "killed at a random moment (round %i), all points read back whole, and the next pass completes",
    async (round) => {
      await asItWas();
      const moment = randomInt(Math.round(milliseconds * 0.3), Math.round(milliseconds * 1.05));
      const pass = spawn(launcher, ["expire", made, "--json"], {
        env: { ...process.env, ...env() },
        stdio: "ignore",
        detached: true,
      });
      const ended = once(pass, "exit");
      await wait(moment);
      if (pass.exitCode === null && pass.pid !== undefined) process.kill(-pass.pid, "SIGKILL");
      await ended;
      const found = await readdir(generations());
      const told = `round ${round}, killed after ${moment} of ${milliseconds} ms, which left ${found.join(" ")}`;

      if (process.env["KILL_ROUNDS"]) process.stderr.write(`${told}\n`);

      // Whatever is there now, sealed, reads as it did, before anything is swept.
      for (const [number, pages] of Object.entries(await pagesIn(path.join(root, "vault"))))
        expect(pages, told).toEqual(before[number]);
      for (const number of kept) expect(found, told).toContain(number);
      expect(JSON.parse((await holdfast(0, "verify", made, "--json")).stdout), told).toMatchObject({ jobs: [{ damage: [] }] });
      await holdfast(0, "expire", made);
      expect((await readdir(generations())).toSorted(), told).toEqual(kept);
      expect(await pagesIn(path.join(root, "vault")), told).toEqual(await keptOf(before));
      await holdfast(0, "verify", made);
    },
  );

  test("a fold that meets damage withdraws nothing, writes it down, and the next pass chooses among what is sound", async () => {
    await asItWas();
    const pages = path.join(generations(), "5/pages-1.img");
    const bytes = await readFile(pages);
    bytes[5000] = 0x3f;
    await rm(pages);
    await writeFile(pages, bytes);
    const refused = await holdfast(13, "expire", made, "--json");
    expect(JSON.parse(refused.stdout)).toMatchObject({
      fault: { code: "point-damaged", message: expect.stringContaining("point 5") },
    });
    expect((await readdir(generations())).toSorted()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    const { points } = JSON.parse((await holdfast(0, "points", made, "--json")).stdout) as {
      points: readonly { number: number }[];
    };
    expect(points.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    // 3 is held, 3 and 4 are the last two; what the damaged ones stand on is left for a repair.
    expect((await holdfast(0, "expire", made)).stdout).toContain("1 is not deleted: generation");
    expect((await readdir(generations())).toSorted()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    await holdfast(0, "verify", made);
  });
});

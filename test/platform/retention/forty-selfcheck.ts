import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Engine } from "../../../src/compose.ts";
import { parseJobName } from "../../../src/domain/name.ts";
import { restore } from "../../../src/engine/restore.ts";
import { goFast } from "../outputs.ts";
import {
  gone,
  kill,
  lives,
  openWorld,
  type RestoreDocument,
  type StartDocument,
  type StatusDocument,
  type World,
} from "../world.ts";
import { engineOf, expectThinned, rules, takeForty, throwDice } from "./forty.ts";

/** One part that `test/programs/selfcheck.c` plays. */
export type Part = {
  readonly name: "one" | "forks" | "shared" | "exec";
  readonly law: string;
  /** Looks in the log of its first life for what makes this part worth playing. */
  lived(log: string): void;
};

/** Steps after a restore: long enough for nearly every page to be written anew, for births, deaths and `exec`. */
const MORE = 120;

/**
 * The proof for one part: forty generations under a policy that leaves ten while it runs; then each of the ten is restored. The program
 * looks at all its memory and says so, at the step at which that point was taken; goes on for a while, looking at each step; and ends well.
 */
export function proveForty(part: Part): void {
  const platform = inject("platform");
  const chance = throwDice();
  const { kept, expired } = chance;
  describe.skipIf(!platform.ready)(`forty generations of ${part.law}, ten of them kept (FORTY_SEED=${chance.seed})`, () => {
    const programs = platform.ready ? platform.programs : "";
    const name = parseJobName(part.name);
    const unique = `holdfast-test-forty-${part.name}-${process.pid}`;
    /** The steps that were done just before and just after each take. */
    const stepsAround = new Map<number, readonly [number, number]>();
    let world: World;
    let engine: Engine;
    let started: StartDocument;
    let firstLife = "";
    const inFolder = (file: string): string => path.join(world.cwd, file);
    const readLog = (): Promise<string> => readFile(inFolder("log"), "latin1").catch(() => "");

    beforeAll(async () => {
      world = await openWorld();
      engine = await engineOf(world);
      const command = [`${programs}/selfcheck`, "log", "10000", part.name, unique];
      started = await world.json(["run", "--name", name, "--cwd", world.cwd, ...rules, "--", ...command]);
    });
    afterAll(async () => {
      await engine.close();
      await world.close();
      await rm(`/dev/shm/${unique}`, { force: true });
    });

    /** Reads the log until this is true of it; the program's own words, if it ends before. */
    async function logUntil(pid: number, what: (log: string) => boolean): Promise<string> {
      for (let tries = 0; tries < 1200; tries++) {
        const log = await readLog();
        if (what(log)) return log;
        if (!(await lives(pid))) break;
        await wait(25);
      }
      throw new Error(`the log never came to it: ${(await readLog()).slice(-300)}\n${await readFile(started.output, "utf8")}`);
    }

    test("it lives through all forty while most of them expire", { timeout: 400_000 }, async () => {
      await logUntil(started.pid, (log) => lastStep(log) > 20);
      const story = await takeForty(engine, name, chance, async (number, take) => {
        const before = lastStep(await readLog());
        await take();
        stepsAround.set(number, [before, lastStep(await readLog())]);
      });
      firstLife = await readLog();
      await kill(started.initPid);
      await gone(started.pid);
      part.lived(firstLife);
      expect(firstLife).not.toContain("back");
      await expectThinned(world, engine, name, chance, story);
    });

    test("the expired ones are gone: a restore refuses them", async () => {
      expect(await world.fault(["restore", name, "--point", String(expired[0])])).toMatchObject({
        status: 10,
        code: "point-unknown",
      });
      for (const number of expired) {
        const target = { type: "point", number } as const;
        const refused = restore(engine.ports, name, { target, running: "refuse", onFailure: "stop" });
        await expect(refused).rejects.toMatchObject({ code: "point-unknown" });
      }
      expect(await readLog()).toContain(firstLife);
    });

    test.each(kept)("point %i comes back to its own step, all memory right, and goes on so", async (number) => {
      const { capture } = await engine.ports.vault.manifest(name, number);
      const size = capture.files.find((file) => file.path === inFolder("log"))?.size ?? 0;
      const frozenAt = lastStep(firstLife.slice(0, size));
      const [before, after] = stepsAround.get(number) ?? [0, 0];
      expect(frozenAt).toBeGreaterThanOrEqual(before);
      expect(frozenAt).toBeLessThanOrEqual(after);

      await rm(inFolder("stop"), { force: true });
      await rm(inFolder("fast"), { force: true });
      await rm(`/dev/shm/${unique}`, { force: true });
      const restored = await world.json<RestoreDocument>(["restore", name, "--point", String(number)]);
      await goFast(world.cwd);
      await logUntil(restored.pid, (log) => lastStep(log) > frozenAt + MORE);
      await writeFile(inFolder("stop"), "");
      await gone(restored.pid);
      const { jobs } = await world.json<StatusDocument>(["status", name]);
      const words = await readFile(started.output, "latin1");
      expect(jobs, words).toMatchObject([{ state: "failed", run: { ending: { type: "exited", status: 7 } } }]);
      expect(words).toBe("");

      const log = await readLog();
      expect(log.slice(0, size)).toBe(firstLife.slice(0, size));
      const said = /^back (\d+), (\d+) pages right in (\d+) of (\d+) processes brought back$/gm.exec(log.slice(size));
      // It was frozen between two steps, or within one, which it then did to its end before it looked.
      expect([frozenAt, frozenAt + 1]).toContain(Number(said?.[1]));
      expect(Number(said?.[2])).toBeGreaterThan(300);
      expect(said?.[3]).toBe(said?.[4]);
      expect(log.slice(size).match(/^back/gm)).toHaveLength(1);
      const steps = stepsIn(log);
      expect(steps).toEqual(steps.map((_, index) => index + 1));
    });
  });
}

function stepsIn(log: string): readonly number[] {
  return Array.from(log.matchAll(/^step (\d+) [0-9a-f]{16}\n/gm), (found) => Number(found[1]));
}

function lastStep(log: string): number {
  return stepsIn(log.slice(-4000)).at(-1) ?? 0;
}

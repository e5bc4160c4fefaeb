import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCatalogue } from "../../src/catalogue/open.ts";
import type { Attempt, Catalogue, Lease } from "../../src/engine/ports.ts";
import { fakeCatalogue } from "../fakes/catalogue.ts";
import { aGeneration, aJob, aProcess, aRun, generations, jobs, named, runs } from "./catalogue-values.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-catalogue-"));
let files = 0;

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function realCatalogue(): Promise<Catalogue> {
  files += 1;
  return (await openCatalogue({ file: path.join(folder, `${files}.sqlite`) })).catalogue;
}

describe.each([
  { kind: "the fake", make: async () => fakeCatalogue() },
  { kind: "SQLite", make: realCatalogue },
])("a catalogue ($kind)", ({ make }) => {
  let catalogue: Catalogue;
  beforeEach(async () => {
    catalogue = await make();
  });
  afterEach(async () => {
    await catalogue.close();
  });

  const lj = named("lj");

  describe("jobs", () => {
    test("gives back every job that is put, unchanged", async () => {
      await fc.assert(
        fc.asyncProperty(jobs, async (job) => {
          await catalogue.putJob(job);
          expect(await catalogue.job(job.name)).toStrictEqual(job);
        }),
        { numRuns: 60 },
      );
    });

    test("answers null for a job that is not there, and an empty list for what hangs on it", async () => {
      expect(await catalogue.job(lj)).toBeNull();
      expect(await catalogue.jobs()).toStrictEqual([]);
      expect(await catalogue.runs(lj)).toStrictEqual([]);
      expect(await catalogue.generations(lj)).toStrictEqual([]);
      expect(await catalogue.attempts(lj, 10)).toStrictEqual([]);
    });

    test("lists jobs by name, each once", async () => {
      for (const name of ["b", "a", "B", "b"]) await catalogue.putJob(aJob(name));
      expect((await catalogue.jobs()).map((job) => job.name)).toStrictEqual(["B", "a", "b"]);
    });

    test("putting a job again changes it and keeps what hangs on it", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putRun(lj, aRun(1));
      await catalogue.putGeneration(aGeneration("lj", 1));
      await catalogue.putDue({ job: lj, due: 5, lastAttemptAt: null });
      await catalogue.putJob(aJob("lj", { intent: "stopped", env: {} }));
      expect(await catalogue.job(lj)).toStrictEqual(aJob("lj", { intent: "stopped", env: {} }));
      expect(await catalogue.runs(lj)).toHaveLength(1);
      expect(await catalogue.generations(lj)).toHaveLength(1);
      expect(await catalogue.dues()).toHaveLength(1);
    });

    test("a removed job takes everything of its own along, and nothing of another", async () => {
      for (const name of ["lj", "other"]) {
        await catalogue.putJob(aJob(name));
        await catalogue.putRun(named(name), aRun(1));
        await catalogue.putGeneration(aGeneration(name, 1));
        await catalogue.putAttempt(anAttempt(name, 1));
        await catalogue.putDue({ job: named(name), due: 5, lastAttemptAt: 4 });
      }
      await catalogue.removeJob(lj);
      await catalogue.removeJob(lj);
      expect((await catalogue.jobs()).map((job) => job.name)).toStrictEqual(["other"]);
      await catalogue.putJob(aJob("lj"));
      expect(await catalogue.runs(lj)).toStrictEqual([]);
      expect(await catalogue.generations(lj)).toStrictEqual([]);
      expect(await catalogue.attempts(lj, 10)).toStrictEqual([]);
      expect(await catalogue.dues()).toStrictEqual([{ job: "other", due: 5, lastAttemptAt: 4, interval: null }]);
      expect(await catalogue.runs(named("other"))).toHaveLength(1);
      expect(await catalogue.generations(named("other"))).toHaveLength(1);
      expect(await catalogue.attempts(named("other"), 10)).toHaveLength(1);
    });

    test("nothing can be put for a job that is not there", async () => {
      const fault = { code: "job-unknown" };
      await expect(catalogue.putRun(lj, aRun(1))).rejects.toMatchObject(fault);
      await expect(catalogue.putGeneration(aGeneration("lj", 1))).rejects.toMatchObject(fault);
      await expect(catalogue.putAttempt(anAttempt("lj", 1))).rejects.toMatchObject(fault);
      await expect(catalogue.putDue({ job: lj, due: 5, lastAttemptAt: null })).rejects.toMatchObject(fault);
    });
  });

  describe("runs", () => {
    test("gives back every run that is put, unchanged", async () => {
      await catalogue.putJob(aJob("lj"));
      await fc.assert(
        fc.asyncProperty(runs, async (run) => {
          await catalogue.putRun(lj, run);
          expect((await catalogue.runs(lj)).find((one) => one.number === run.number)).toStrictEqual(run);
        }),
        { numRuns: 60 },
      );
    });

    test("lists runs by number; one that is put again is changed", async () => {
      await catalogue.putJob(aJob("lj"));
      for (const number of [2, 10, 1]) await catalogue.putRun(lj, aRun(number));
      const ended = aRun(2, { endedAt: 9, ending: { type: "signaled", signal: 9 } });
      await catalogue.putRun(lj, ended);
      expect(await catalogue.runs(lj)).toStrictEqual([aRun(1), ended, aRun(10)]);
    });
  });

  describe("what is asked often", () => {
    test("is what the whole list tells: the newest run, one generation, those that are not expired", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putJob(aJob("other"));
      expect(await catalogue.newestRun(lj)).toBeNull();
      expect(await catalogue.generation(lj, 1)).toBeNull();
      expect(await catalogue.unexpired(lj)).toStrictEqual([]);
      for (const number of [2, 10, 9]) await catalogue.putRun(lj, aRun(number));
      await catalogue.putRun(named("other"), aRun(11));
      const states = ["sealed", "expired", "damaged", "failed", "consumed", "expired", "sealed"] as const;
      for (const [at, state] of states.entries()) {
        for (const job of ["other", "lj"]) await catalogue.putGeneration(aGeneration(job, 9 - at, { state }));
      }
      const all = await catalogue.generations(lj);
      expect(await catalogue.newestRun(lj)).toStrictEqual((await catalogue.runs(lj)).at(-1));
      expect(await catalogue.unexpired(lj)).toStrictEqual(all.filter(({ state }) => state !== "expired"));
      for (const one of all) expect(await catalogue.generation(lj, one.number)).toStrictEqual(one);
      await catalogue.markGeneration(lj, 9, { state: "expired" });
      expect((await catalogue.unexpired(lj)).map(({ number }) => number)).toStrictEqual([3, 5, 6, 7]);
    });

    test("is what the attempts tell: the newest that was made, and how many were missed", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putJob(aJob("other"));
      expect(await catalogue.attemptsInAll(lj)).toStrictEqual({ newestMade: null, missed: 0 });
      const outcomes = ["missed", "failed", "took", "missed", "missed"] as const;
      for (const [at, outcome] of outcomes.entries())
        await catalogue.putAttempt({ ...anAttempt("lj", at), outcome, count: at + 1 });
      await catalogue.putAttempt({ ...anAttempt("other", 99), outcome: "took" });
      const attempts = await catalogue.attempts(lj, 10);
      expect(await catalogue.attemptsInAll(lj)).toStrictEqual({ newestMade: attempts[2], missed: 10 });
    });
  });

  describe("generations", () => {
    test("gives back every generation that is put, unchanged", async () => {
      await fc.assert(
        fc.asyncProperty(generations, async (generation) => {
          await catalogue.putJob(aJob(generation.job));
          await catalogue.putGeneration(generation);
          const found = await catalogue.generations(generation.job);
          expect(found.find((one) => one.number === generation.number)).toStrictEqual(generation);
        }),
        { numRuns: 60 },
      );
    });

    test("lists generations of all states, oldest first", async () => {
      await catalogue.putJob(aJob("lj"));
      const states = ["sealed", "damaged", "failed", "expired"] as const;
      const all = states.map((state, at) => aGeneration("lj", at + 9, { state }));
      for (const generation of all.toReversed()) await catalogue.putGeneration(generation);
      expect(await catalogue.generations(lj)).toStrictEqual(all);
    });

    test("a mark changes what it speaks of and nothing else", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putGeneration(aGeneration("lj", 1));
      await catalogue.putGeneration(aGeneration("lj", 2));
      await catalogue.markGeneration(lj, 1, { held: true });
      await catalogue.markGeneration(lj, 1, { provenAt: 77, provenMilliseconds: 1500 });
      await catalogue.markGeneration(lj, 1, { state: "damaged", reason: "pages-1.img is short" });
      await catalogue.markGeneration(lj, 1, {});
      const marked = {
        held: true,
        provenAt: 77,
        provenMilliseconds: 1500,
        state: "damaged",
        reason: "pages-1.img is short",
      } as const;
      expect(await catalogue.generations(lj)).toStrictEqual([aGeneration("lj", 1, marked), aGeneration("lj", 2)]);
      await catalogue.markGeneration(lj, 1, { held: false });
      expect((await catalogue.generations(lj))[0]?.held).toBe(false);
    });

    test("a mark on a generation that is not there makes none", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.markGeneration(lj, 1, { held: true });
      expect(await catalogue.generations(lj)).toStrictEqual([]);
    });

    test("a removed generation is gone, and only that one", async () => {
      await catalogue.putJob(aJob("lj"));
      for (const number of [1, 2, 3]) await catalogue.putGeneration(aGeneration("lj", number));
      await catalogue.removeGeneration(lj, 2);
      await catalogue.removeGeneration(lj, 2);
      expect((await catalogue.generations(lj)).map((generation) => generation.number)).toStrictEqual([1, 3]);
    });
  });

  describe("attempts", () => {
    test("come newest first, the later put first within one millisecond, at most as many as asked for", async () => {
      await catalogue.putJob(aJob("lj"));
      const [a, b, c, d] = [anAttempt("lj", 5), anAttempt("lj", 7), anAttempt("lj", 7, { message: "second" }), anAttempt("lj", 6)];
      for (const attempt of [a, b, c, d]) await catalogue.putAttempt(attempt);
      expect(await catalogue.attempts(lj, 10)).toStrictEqual([c, b, d, a]);
      expect(await catalogue.attempts(lj, 2)).toStrictEqual([c, b]);
    });

    test("all but the newest thousand of a job are dropped", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putJob(aJob("other"));
      await catalogue.putAttempt(anAttempt("other", 1));
      for (let at = 1; at <= 1003; at += 1) await catalogue.putAttempt(anAttempt("lj", at));
      const kept = await catalogue.attempts(lj, 5000);
      expect(kept.map((attempt) => attempt.at)).toStrictEqual(Array.from({ length: 1000 }, (_, index) => 1003 - index));
      expect(await catalogue.attempts(named("other"), 5000)).toHaveLength(1);
    });
  });

  describe("dues", () => {
    test("come soonest first, one for each job, the last word standing", async () => {
      for (const name of ["a", "b", "c"]) await catalogue.putJob(aJob(name));
      await catalogue.putDue({ job: named("a"), due: 30, lastAttemptAt: null, interval: null });
      await catalogue.putDue({ job: named("b"), due: 10, lastAttemptAt: 1 });
      await catalogue.putDue({ job: named("c"), due: 20, lastAttemptAt: null });
      await catalogue.putDue({ job: named("b"), due: 20, lastAttemptAt: 10 });
      expect(await catalogue.dues()).toStrictEqual([
        { job: "b", due: 20, lastAttemptAt: 10, interval: null },
        { job: "c", due: 20, lastAttemptAt: null, interval: null },
        { job: "a", due: 30, lastAttemptAt: null, interval: null },
      ]);
    });

    test("keep the interval that is planned until another word is said about it", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putDue({ job: lj, due: 1, lastAttemptAt: null, interval: 1_500_000 });
      await catalogue.putDue({ job: lj, due: 2, lastAttemptAt: 1 });
      expect(await catalogue.dues()).toStrictEqual([{ job: "lj", due: 2, lastAttemptAt: 1, interval: 1_500_000 }]);
      await catalogue.putDue({ job: lj, due: 2, lastAttemptAt: 1, interval: null });
      expect(await catalogue.dues()).toStrictEqual([{ job: "lj", due: 2, lastAttemptAt: 1, interval: null }]);
    });
  });

  describe("recoveries", () => {
    test("come back newest first, and go with their job", async () => {
      await catalogue.putJob(aJob(lj));
      const one = {
        job: lj,
        at: 5,
        point: 3,
        outcome: "failed" as const,
        code: "restore-failed",
        message: "no",
        lostMilliseconds: null,
        milliseconds: 7,
      };
      const two = { ...one, at: 6, point: 2, outcome: "restored" as const, code: null, lostMilliseconds: 90 };
      await catalogue.putRecovery(one);
      await catalogue.putRecovery(two);
      expect(await catalogue.recoveries(lj, 9)).toStrictEqual([two, one]);
      expect(await catalogue.recoveries(lj, 1)).toStrictEqual([two]);
      await catalogue.removeJob(lj);
      expect(await catalogue.recoveries(lj, 9)).toStrictEqual([]);
      await expect(catalogue.putRecovery(one)).rejects.toMatchObject({ code: "job-unknown" });
    });
  });

  describe("leases", () => {
    const alive = () => true;

    test("a lease is held by one at a time, and the other is told by whom", async () => {
      const first = aLease({ token: "one", verb: "restore" });
      expect(await catalogue.acquireLease(first, 0, alive)).toStrictEqual({ granted: true, tookOver: null });
      const answer = await catalogue.acquireLease(aLease({ token: "two" }), 0, alive);
      expect(answer).toStrictEqual({ granted: false, holder: first });
      expect(await catalogue.acquireLease(aLease({ name: "job:other" }), 0, alive)).toMatchObject({ granted: true });
    });

    test("a released lease can be taken; only its own token releases it", async () => {
      await catalogue.acquireLease(aLease({ token: "one" }), 0, alive);
      await catalogue.releaseLease("job:lj", "two");
      expect(await catalogue.acquireLease(aLease({ token: "two" }), 0, alive)).toMatchObject({ granted: false });
      await catalogue.releaseLease("job:lj", "one");
      expect(await catalogue.acquireLease(aLease({ token: "two" }), 0, alive)).toStrictEqual({ granted: true, tookOver: null });
    });

    test("an expired lease is taken over", async () => {
      const first = aLease({ token: "one", expiresAt: 100 });
      await catalogue.acquireLease(first, 0, alive);
      const second = aLease({ token: "two", expiresAt: 200 });
      expect(await catalogue.acquireLease(second, 99, alive)).toMatchObject({ granted: false });
      expect(await catalogue.acquireLease(second, 100, alive)).toStrictEqual({ granted: true, tookOver: first });
      expect(await catalogue.renewLease("job:lj", "one", 300)).toBe(false);
    });

    test("a lease whose owner is gone is taken over", async () => {
      const first = aLease({ token: "one", owner: aProcess(31) });
      await catalogue.acquireLease(first, 0, alive);
      const answer = await catalogue.acquireLease(aLease({ token: "two" }), 0, (owner) => owner.pid !== 31);
      expect(answer).toStrictEqual({ granted: true, tookOver: first });
    });

    test("a renewed lease lives longer; a lost one is not renewed", async () => {
      await catalogue.acquireLease(aLease({ token: "one", expiresAt: 100 }), 0, alive);
      expect(await catalogue.renewLease("job:lj", "one", 300)).toBe(true);
      expect(await catalogue.acquireLease(aLease({ token: "two" }), 200, alive)).toMatchObject({ granted: false });
      expect(await catalogue.renewLease("job:lj", "two", 900)).toBe(false);
      expect(await catalogue.renewLease("job:other", "one", 900)).toBe(false);
      expect(await catalogue.acquireLease(aLease({ token: "two" }), 300, alive)).toMatchObject({ granted: true });
    });

    test("a holder is told that another was refused; the next holder begins unasked", async () => {
      await catalogue.acquireLease(aLease({ token: "one" }), 0, alive);
      expect(await catalogue.leaseWanted("job:lj", "one")).toBe(false);
      await catalogue.acquireLease(aLease({ token: "two" }), 0, alive);
      expect(await catalogue.leaseWanted("job:lj", "one")).toBe(true);
      expect(await catalogue.leaseWanted("job:lj", "two")).toBe(false);
      await catalogue.releaseLease("job:lj", "one");
      await catalogue.acquireLease(aLease({ token: "three" }), 0, alive);
      expect(await catalogue.leaseWanted("job:lj", "three")).toBe(false);
    });

    test("of many who ask at the same time one gets it", async () => {
      const answers = await Promise.all(
        ["a", "b", "c", "d"].map(async (token) => catalogue.acquireLease(aLease({ token }), 0, alive)),
      );
      expect(answers.filter((answer) => answer.granted)).toHaveLength(1);
    });
  });

  describe("replaceAll", () => {
    test("leaves exactly what is given, and the leases", async () => {
      await catalogue.putJob(aJob("old"));
      await catalogue.putGeneration(aGeneration("old", 1));
      await catalogue.putJob(aJob("lj"));
      await catalogue.putAttempt(anAttempt("lj", 1));
      await catalogue.putDue({ job: lj, due: 5, lastAttemptAt: null });
      await catalogue.acquireLease(aLease({ token: "one" }), 0, () => true);
      const many = Array.from({ length: 1201 }, (_, at) => aGeneration("lj", at + 1));
      await catalogue.replaceAll({
        jobs: [aJob("lj", { keep: "last=1" }), aJob("new")],
        runs: [{ job: named("new"), run: aRun(3) }],
        generations: many,
      });
      expect(await catalogue.jobs()).toStrictEqual([aJob("lj", { keep: "last=1" }), aJob("new")]);
      expect(await catalogue.runs(named("new"))).toStrictEqual([aRun(3)]);
      expect(await catalogue.generations(lj)).toStrictEqual(many);
      expect(await catalogue.attempts(lj, 10)).toStrictEqual([]);
      expect(await catalogue.dues()).toStrictEqual([]);
      expect(await catalogue.acquireLease(aLease({ token: "two" }), 0, () => true)).toMatchObject({ granted: false });
    });

    test("leaves the old content whole when the new does not fit together", async () => {
      await catalogue.putJob(aJob("lj"));
      await catalogue.putRun(lj, aRun(1));
      const content = { jobs: [aJob("new")], runs: [{ job: named("stranger"), run: aRun(1) }], generations: [] };
      await expect(catalogue.replaceAll(content)).rejects.toThrow();
      expect(await catalogue.jobs()).toStrictEqual([aJob("lj")]);
      expect(await catalogue.runs(lj)).toStrictEqual([aRun(1)]);
    });
  });

  test("what is put is a copy: changing the value afterwards changes nothing", async () => {
    const env: Record<string, string> = { A: "1" };
    await catalogue.putJob(aJob("lj", { env }));
    env["A"] = "2";
    expect((await catalogue.job(lj))?.env).toStrictEqual({ A: "1" });
  });

  test("numbers that are not whole are refused", async () => {
    await expect(catalogue.putJob(aJob("lj", { createdAt: 1.5 }))).rejects.toThrow();
    await catalogue.putJob(aJob("lj"));
    await expect(catalogue.putDue({ job: lj, due: 1.5, lastAttemptAt: null })).rejects.toThrow();
  });
});

function anAttempt(job: string, at: number, change: Partial<Attempt> = {}): Attempt {
  return { job: named(job), at, outcome: "failed", point: null, code: "dump-failed", message: "CRIU said no", count: 1, ...change };
}

function aLease(change: Partial<Lease> = {}): Lease {
  return { name: "job:lj", token: "token", owner: aProcess(30), verb: "take", expiresAt: 1000, ...change };
}

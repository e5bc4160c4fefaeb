import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Generation } from "../../../src/domain/generation.ts";
import type { JobName, JobState } from "../../../src/domain/job.ts";
import {
  blame,
  judgeComeback,
  nextRecoveries,
  planRecovery,
  type RecoveryFacts,
  type RecoveryPlan,
  type RecoveryTry,
  recoveryOutlook,
} from "../../../src/domain/plan-recovery.ts";
import { restorePoints } from "../../../src/domain/restorable.ts";
import type { Ending, Run } from "../../../src/domain/run.ts";
import { chainOf } from "./generations.ts";

const rules = { delay: 5_000, settle: 60_000, attempts: 4 };
const now = 1_790_000_000_000;
const generations = chainOf("B1 i2 i3 i4");
const melt = { name: "melt" as JobName, intent: "run", onCrash: "restore" } as const;
const root = { pid: 7, startTicks: 70, bootId: "boot" };

const aRun = (change: Partial<Run> = {}): Run => ({
  number: 1,
  timeline: 1,
  startedAt: now - 900_000,
  from: null,
  init: root,
  root,
  rootVpid: 300,
  endedAt: now,
  ending: null,
  ...change,
});

const failed = (point: number | null, code: string | null, at = now): RecoveryTry => ({
  at,
  point,
  outcome: "failed",
  code,
  message: "no",
});
const restored = (point: number, at = now): RecoveryTry => ({ at, point, outcome: "restored", code: null, message: "yes" });

function facts(change: Partial<RecoveryFacts> = {}): RecoveryFacts {
  const all = change.generations ?? generations;
  return {
    job: melt,
    state: "crashed",
    runs: [aRun()],
    by: null,
    generations: all,
    points: restorePoints(all),
    tries: [],
    bootId: "boot",
    ...change,
  };
}

const plan = (change: Partial<RecoveryFacts> = {}, at = now): RecoveryPlan => planRecovery(facts(change), rules, at);

describe("a job that has vanished", () => {
  test("comes back from its newest point, a while after the crash", () => {
    expect(plan()).toEqual({ type: "restore", point: 4, at: now + 5_000, attempt: 1, attempts: 4 });
  });

  test("waits for a person where that was asked for, and where nothing can be done", () => {
    expect(plan({ job: { ...melt, onCrash: "ask" } })).toMatchObject({ type: "ask", command: "holdfast restore melt" });
    expect(plan({ generations: [], points: [] })).toMatchObject({ type: "ask", command: "holdfast retire melt" });
    expect(plan({ runs: [] })).toMatchObject({ type: "ask", why: "its start did not come to an end" });
  });

  test("is tried again from the same point if the fault says nothing of it, from an older one if it does", () => {
    for (const code of ["space-short", "vault-full", "criu-missing", "file-changed", "restore-cut-off", null]) {
      expect(plan({ tries: [failed(4, code)] }), String(code)).toMatchObject({ point: 4, attempt: 2 });
    }
    for (const code of ["restore-failed", "restore-timeout", "chain-broken", "died-again", "file-unrestorable"]) {
      expect(plan({ tries: [failed(4, code)] }), code).toMatchObject({ point: 3, attempt: 2 });
    }
  });

  test("is waited for twice as long after each try that failed, and then a person is asked", () => {
    const waits = [1, 2, 3].map((count) => {
      const next = plan({ tries: Array.from({ length: count }, () => failed(4, "space-short")) });
      return next.type === "restore" ? next.at - now : null;
    });
    expect(waits).toEqual([10_000, 20_000, 40_000]);
    const asked = plan({ tries: Array.from({ length: 4 }, () => failed(4, "space-short")) });
    expect(asked).toMatchObject({ type: "ask", why: "4 tries failed, the last one: no" });
  });

  test("has its tries counted anew when it has come back and lived", () => {
    expect(plan({ tries: [restored(3), failed(4, "restore-failed")] })).toMatchObject({ point: 4, attempt: 1 });
  });

  test("counts a comeback and the death after it as one try", () => {
    const tries = [failed(3, "died-again"), restored(3), failed(4, "died-again"), restored(4)];
    expect(plan({ tries })).toMatchObject({ point: 2, attempt: 3 });
  });

  test("is brought back in an hour at the latest", () => {
    const patient = { ...rules, attempts: 100 };
    const many = planRecovery(facts({ tries: Array.from({ length: 60 }, () => failed(4, "busy")) }), patient, now);
    expect(many).toMatchObject({ at: now + 3_600_000 });
  });

  test("is not waited for any longer because the clock was put back", () => {
    expect(plan({}, now - 3_600_000)).toMatchObject({ type: "restore", at: now - 3_600_000 });
  });

  test("was taken on while it ran: it comes back after a reboot, and not where it may have ended by itself", () => {
    const adopted = aRun({ init: null });
    expect(plan({ runs: [adopted] })).toMatchObject({ type: "ask", why: expect.stringContaining("not known") });
    expect(plan({ runs: [adopted], bootId: "next" })).toMatchObject({ type: "restore", point: 4 });
    // It was seen gone before the reboot.
    expect(plan({ runs: [adopted], bootId: "next", tries: [failed(null, "end-unknown")] })).toMatchObject({ type: "ask" });
    const byHand = aRun({ init: null, root: { pid: 7, startTicks: 0, bootId: "unknown" } });
    expect(plan({ runs: [byHand], bootId: "next" })).toMatchObject({ type: "ask" });
  });
});

describe("a job that has ended by itself", () => {
  const segfault = { type: "signaled", signal: 11 } as const;
  const soon = { number: 2, from: 4, startedAt: now - 12_000, ending: segfault };

  test("is not brought back", () => {
    expect(plan({ state: "failed", runs: [aRun({ ending: segfault })] })).toEqual({ type: "none" });
    expect(plan({ state: "finished", runs: [aRun({ ending: { type: "exited", status: 0 } })] })).toEqual({ type: "none" });
  });

  test("is, if the service had brought it back just before", () => {
    const runs = [aRun(), aRun(soon)];
    const tries = [failed(4, "died-again"), restored(4)];
    expect(plan({ state: "failed", runs, by: "service", tries })).toMatchObject({ type: "restore", point: 3 });
    expect(plan({ state: "failed", runs, by: "person", tries })).toEqual({ type: "none" });
    const later = [aRun(), aRun({ ...soon, startedAt: now - 61_000 })];
    expect(plan({ state: "failed", runs: later, by: "service", tries })).toEqual({ type: "none" });
  });
});

describe("a restored run", () => {
  const judged = (change: Partial<Run>, more: Partial<Parameters<typeof judgeComeback>[0]> = {}, at = now) =>
    judgeComeback(
      {
        run: aRun({ number: 2, from: 4, startedAt: now - 12_000, ...change }),
        by: "service",
        bootId: "boot",
        intent: "run",
        point: { state: "sealed", provenAt: null },
        ...more,
      },
      rules.settle,
      at,
    );
  const ends: readonly (Ending | null)[] = [null, { type: "exited", status: 1 }, { type: "signaled", signal: 11 }];

  test("that died soon speaks against its point, however it died", () => {
    for (const ending of ends) expect(judged({ ending })).toBe("failed");
  });

  test("that went down with the machine, or was stopped, says nothing", () => {
    for (const ending of ends) {
      expect(judged({ ending }, { bootId: "next" })).toBeNull();
      expect(judged({ ending }, { intent: "stopped" })).toBeNull();
    }
  });

  test("that finished soon, or lives long enough, proves its point once", () => {
    expect(judged({ ending: { type: "exited", status: 0 } })).toBe("proven");
    expect(judged({ endedAt: null })).toBeNull();
    expect(judged({ endedAt: null }, {}, now + 48_000)).toBe("proven");
    expect(judged({ endedAt: null }, { point: { state: "sealed", provenAt: now } }, now + 48_000)).toBeNull();
  });

  test("that a person began takes the proof back when it dies soon, and does not mark the point failed", () => {
    expect(judged({}, { by: "person", point: { state: "sealed", provenAt: now - 12_000 } })).toBe("withdrawn");
    expect(judged({}, { by: "person" })).toBeNull();
  });

  test("says nothing of a point that is marked already, nor when the clock was put back meanwhile", () => {
    expect(judged({}, { point: { state: "failed", provenAt: null } })).toBeNull();
    expect(judged({ startedAt: now + 3_600_000 })).toBeNull();
  });
});

test("a bug, a full disk and a missing CRIU are never blamed on a point", () => {
  expect([null, "vault-full", "criu-missing", "busy", "file-changed", "criu-differs", "restore-cut-off"].map(blame)).toEqual(
    Array(7).fill("none"),
  );
});

test("of those that are due the longest waiting come first, then those that lost most, then by name; as many as there is room for", () => {
  const waiting = [
    { job: "b", at: 5, lost: 1 },
    { job: "a", at: 5, lost: 1 },
    { job: "much", at: 5, lost: 9 },
    { job: "early", at: 1, lost: 0 },
    { job: "not yet", at: 11, lost: 99 },
  ] as { job: JobName; at: number; lost: number }[];
  expect(nextRecoveries(waiting, 10, 9)).toEqual(["early", "much", "a", "b"]);
  expect(nextRecoveries(waiting, 10, 2)).toEqual(["early", "much"]);
  expect(nextRecoveries(waiting, 10, -1)).toEqual([]);
});

test("the outlook says what happens and when, or what to type", () => {
  expect(recoveryOutlook(plan(), now + 5_000)).toBe("the service (`holdfast serve`) brings it back from point 4 now");
  expect(recoveryOutlook({ type: "restore", point: 4, at: now + 7_500, attempt: 2, attempts: 5 }, now)).toBe(
    "the service (`holdfast serve`) brings it back from point 4 in 8s (try 2 of 5)",
  );
  expect(recoveryOutlook({ type: "ask", why: "on-crash is ask", command: "holdfast restore melt" }, now)).toBe(
    "it waits for you (on-crash is ask): `holdfast restore melt`",
  );
  expect(recoveryOutlook({ type: "none" }, now)).toBeNull();
});

/** One thing after another: how each try of the service goes, and how long the job then lives; steps of the clock between them. */
const stories = fc.array(
  fc.record({
    fault: fc.constantFrom(null, null, "restore-failed", "restore-timeout", "space-short", "point-damaged", "restore-cut-off"),
    lives: fc.constantFrom(1_000, 30_000, 59_999),
    ends: fc.constantFrom<Ending | null>(null, { type: "signaled", signal: 11 }, { type: "exited", status: 1 }),
    step: fc.constantFrom(0, 0, 0, -3_600_000, 3_600_000),
  }),
  { minLength: 10, maxLength: 30 },
);

test("whatever happens, tries are bounded, no point that failed is tried again, and each wait is longer than the one before", () => {
  fc.assert(
    fc.property(stories, (story) => {
      const known = new Map(generations.map((one): [number, Generation] => [one.number, one]));
      const runs = [aRun()];
      const tries: RecoveryTry[] = [];
      const gone = new Set<number>();
      const waits: number[] = [];
      let [clock, state, by, stepped] = [now, "crashed" as JobState, null as RecoveryFacts["by"], false];
      for (const { fault, lives, ends, step } of story) {
        const all = [...known.values()];
        const next = planRecovery(facts({ runs, tries, state, by, generations: all, points: restorePoints(all) }), rules, clock);
        if (next.type !== "restore") break;
        expect(gone.has(next.point)).toBe(false);
        if (!stepped) waits.push(next.at - clock);
        // A clock that was put forward has made it overdue.
        clock = Math.max(clock, next.at);
        const note = (said: RecoveryTry) => tries.unshift({ ...said, at: Math.max(clock, (tries[0]?.at ?? 0) + 1) });
        const fail = (code: string) => {
          note(failed(next.point, code));
          // The mark itself may not have been written.
          if (blame(code) !== "none") gone.add(next.point);
          if (blame(code) === "failed" && lives > 1_000) known.set(next.point, { ...known.get(next.point)!, state: "failed" });
        };
        if (fault !== null) {
          fail(fault);
        } else {
          note(restored(next.point));
          runs.push(aRun({ number: runs.length + 1, from: next.point, startedAt: clock, endedAt: clock + lives, ending: ends }));
          clock += lives;
          [state, by] = [ends === null ? "crashed" : "failed", "service"];
          fail("died-again");
        }
        stepped ||= step !== 0;
        clock += step;
      }
      const failures = tries.filter((one) => one.outcome === "failed").length;
      expect(failures).toBeLessThanOrEqual(rules.attempts);
      expect(planRecovery(facts({ runs, tries, state, by, generations: [...known.values()] }), rules, clock).type).toBe("ask");
      if (!stepped) for (const [at, wait] of waits.entries()) expect(wait).toBeGreaterThan(waits[at - 1] ?? 0);
    }),
  );
});

test("whatever else is true, a job that is stopped, retired, finished or running is never brought back", () => {
  const states = fc.constantFrom<JobState>("running", "finished", "failed", "stopped", "retired");
  const intents = fc.constantFrom("run" as const, "stopped" as const, "retired" as const);
  const anything = fc.record({
    states,
    intents,
    by: fc.constantFrom(null, "person" as const),
    at: fc.integer({ min: -1e9, max: 1e9 }),
  });
  fc.assert(
    fc.property(anything, ({ states: state, intents: intent, by, at }) => {
      const runs = [aRun(), aRun({ number: 2, from: 4, startedAt: now - 5, ending: { type: "exited", status: 3 } })];
      expect(plan({ state, by, runs, job: { ...melt, intent } }, now + at)).toEqual({ type: "none" });
      if (intent !== "run")
        expect(plan({ state: "crashed", by: "service", runs, job: { ...melt, intent } })).toEqual({ type: "none" });
    }),
  );
});

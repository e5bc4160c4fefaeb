import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobName } from "../../../src/domain/job.ts";
import { planTick, type Scheduled } from "../../../src/domain/plan-tick.ts";

const minute = 60_000;
const every = { type: "every", milliseconds: 10 * minute } as const;
const now = Date.UTC(2026, 10, 21, 12);
const job = (name: string, due: number | null, underway = false): Scheduled => ({
  job: name as JobName,
  schedule: every,
  due,
  underway,
});

describe("a tick", () => {
  test("starts a generation that is due, and gives the next due time", () => {
    const plan = planTick([job("a", now)], now, 2);
    expect(plan.start).toEqual(["a"]);
    expect(plan.missed).toEqual([]);
    expect(plan.dues[0]?.due).toBeGreaterThan(now);
  });

  test("leaves alone what is not due", () => {
    expect(planTick([job("a", now + 1)], now, 2)).toEqual({ start: [], missed: [], dues: [] });
  });

  test("does not double a generation that is still being taken: the new one counts as missed", () => {
    const plan = planTick([job("a", now, true)], now, 2);
    expect(plan.start).toEqual([]);
    expect(plan.missed).toEqual([{ job: "a", count: 1, why: "the one before was still being taken" }]);
    expect(plan.dues).toHaveLength(1);
  });

  test("makes one catch-up after downtime, not a storm, and counts the others as missed", () => {
    const plan = planTick([job("a", now - 55 * minute)], now, 2);
    expect(plan.start).toEqual(["a"]);
    expect(plan.missed[0]?.count).toBe(5);
  });

  test("keeps a job due while no place is free, the longest overdue first", () => {
    const plan = planTick([job("late", now - 1), job("later", now - 2 * minute), job("latest", now - 3 * minute)], now, 1);
    expect(plan.start).toEqual(["latest"]);
    expect(plan.dues.map((one) => one.job)).toEqual(["latest"]);
  });

  test("gives a job that was never scheduled its first due time without starting it", () => {
    const plan = planTick([job("new", null)], now, 1);
    expect(plan.start).toEqual([]);
    expect(plan.dues[0]?.due).toBeGreaterThan(now);
  });

  test("never starts one job twice, never more than the free places, and every due it gives is ahead", () => {
    const scheduled = fc.array(
      fc.record({ due: fc.option(fc.integer({ min: now - 100 * minute, max: now + 100 * minute })), underway: fc.boolean() }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(scheduled, fc.integer({ min: 0, max: 5 }), (list, free) => {
        const jobs = list.map(({ due, underway }, at) => job(`j${at}`, due, underway));
        const plan = planTick(jobs, now, free);
        expect(plan.start.length).toBeLessThanOrEqual(free);
        expect(new Set(plan.start).size).toBe(plan.start.length);
        for (const { due } of plan.dues) expect(due).toBeGreaterThan(now);
        for (const name of plan.start) expect(jobs.find((one) => one.job === name)?.underway).toBe(false);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { learnFailures } from "../../../src/domain/failures.ts";
import { generationCost, type PastCost, type ProcessorReading, slowdownOf } from "../../../src/domain/generation-cost.ts";
import { planInterval } from "../../../src/domain/plan-interval.ts";
import { aRun } from "../../contract/catalogue-values.ts";

const [minute, day] = [60_000, 86_400_000];
const rules = { mtbf: 30 * day, minEvery: minute, maxEvery: 60 * minute, maxOverhead: 0.01 };
const none = { failures: 0, observed: 0, mtbf: 30 * day };
const past = (kind: PastCost["kind"], freeze: number): PastCost => ({ kind, freeze, slowdown: freeze / 2, lasts: 2 * freeze });

describe("the cost of a generation", () => {
  test("is that of a whole chain, each kind at its median: one that was hindered moves nothing", () => {
    const seen = [past("base", 1000), past("increment", 100), past("increment", 100), past("increment", 60_000)];
    expect(generationCost(seen, 10)).toEqual({ freeze: 190, slowdown: 95, lasts: 380, cost: 285, generations: 4 });
  });

  test("is taken from the one kind that is known, and from nothing where nothing is", () => {
    expect(generationCost([past("base", 1000)], 24)?.cost).toBe(1500);
    expect(generationCost([past("increment", 100)], 24)?.cost).toBe(150);
    expect(generationCost([], 24)).toBeNull();
  });
});

describe("the slowdown outside the freeze", () => {
  const at = (seconds: number, busy: number, own: number): ProcessorReading => ({
    at: seconds * 1e6,
    cores: 2,
    busy: busy * 1e6,
    own: own * 1e6,
  });

  test("is our processor time where all cores were busy, and none where one was idle", () => {
    expect(slowdownOf(at(0, 0, 0), at(10, 20, 3))).toBe(3e6);
    expect(slowdownOf(at(0, 0, 0), at(10, 15, 3))).toBe(1.5e6);
    expect(slowdownOf(at(0, 0, 0), at(10, 10, 3))).toBe(0);
    expect(slowdownOf(at(5, 7, 1), at(5, 9, 2))).toBe(0);
  });

  test("is never more than we used, and never less than nothing", () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(number, number, number, (seconds, busy, own) => {
        const lost = slowdownOf(at(0, 0, 0), at(seconds, busy, own));
        expect(lost).toBeGreaterThanOrEqual(0);
        expect(lost).toBeLessThanOrEqual(Math.round(own * 1e6));
      }),
    );
  });
});

describe("the time between failures", () => {
  const ran = (days: number, change: Parameters<typeof aRun>[1] = {}) => aRun(1, { startedAt: 0, endedAt: days * day, ...change });

  test("is the setting while nothing was seen, longer after quiet days, shorter after failures", () => {
    expect(learnFailures(30 * day, [], 0)).toEqual({ failures: 0, observed: 0, mtbf: 30 * day });
    const quiet = learnFailures(30 * day, [ran(30, { ending: { type: "exited", status: 1 } })], 0);
    expect(quiet).toEqual({ failures: 0, observed: 30 * day, mtbf: 60 * day });
    const bad = learnFailures(30 * day, [ran(1), ran(1), ran(1)], 0);
    expect(bad).toEqual({ failures: 3, observed: 3 * day, mtbf: 8.25 * day });
  });

  test("counts a run that goes on up to now, and no tree outside our init", () => {
    expect(learnFailures(day, [aRun(1, { startedAt: 0 })], 2 * day)).toEqual({ failures: 0, observed: 2 * day, mtbf: 3 * day });
    expect(learnFailures(day, [ran(5, { init: null })], 0)).toEqual({ failures: 0, observed: 0, mtbf: day });
  });

  test("comes to what is true, whatever the setting said", () => {
    for (const setting of [day, 1000 * day]) {
      const runs = Array.from({ length: 1000 }, () => ran(10));
      expect(learnFailures(setting, runs, 0).mtbf / day).toBeCloseTo(10, -1);
    }
  });
});

describe("the plan", () => {
  test("begins with the shortest interval, so that a cost is known soon, and doubles it after each take that fails", () => {
    const plan = (failedTakes: number) => planInterval({ cost: null, failures: none, failedTakes }, rules).every / minute;
    expect([0, 1, 2, 5, 6, 2000].map(plan)).toEqual([1, 2, 4, 32, 60, 60]);
  });

  test("is the best interval as soon as a cost is known, whatever became of the newest take", () => {
    const cost = generationCost([past("base", 273)], 24);
    expect(planInterval({ cost, failures: none, failedTakes: 3 }, rules)).toMatchObject({
      every: 25 * minute,
      best: { ruledBy: "cost", every: 25 * minute },
    });
  });
});

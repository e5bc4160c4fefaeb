import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bestInterval, dalyInterval, expectation, type IntervalRules, youngInterval } from "../../../src/domain/best-interval.ts";

const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
const rules: IntervalRules = { mtbf: 30 * day, minEvery: minute, maxEvery: 6 * hour, maxOverhead: 0.01 };
const free: IntervalRules = { mtbf: 30 * day, minEvery: 1, maxEvery: 1e15, maxOverhead: 1 };

describe("Daly 2004", () => {
  test.each([
    { mtbf: 24 * 60, work: 117, young: 120 },
    { mtbf: 6 * 60, work: 57, young: 60 },
    { mtbf: 15, work: 9.1, young: 12.2 },
  ])("a generation of 5 min, a failure each $mtbf min: $work min of work between two (Young: $young)", ({ mtbf, work, young }) => {
    const digits = work < 10 ? 1 : 0;
    expect(Number(dalyInterval(5, mtbf).toFixed(digits))).toBe(work);
    expect(Number(youngInterval(5, mtbf).toFixed(digits))).toBe(young);
  });

  test("where a generation costs as much as two failures are apart, the answer is the mean time between failures", () => {
    expect(dalyInterval(10, 5)).toBe(5);
    expect(dalyInterval(9.99, 5)).toBeCloseTo((8 / 9) * 5, 1);
  });

  test("no other interval costs less: work lost to generations and failures, counted out", () => {
    // Daly's own total, equation 20: what one unit of work takes, failures at random; the restart is a factor of its own.
    const total = (work: number, cost: number, mtbf: number): number => (mtbf / work) * Math.expm1((work + cost) / mtbf);
    fc.assert(
      fc.property(ms(1, hour), ms(10 * minute, 30 * day), fc.double({ min: 0.2, max: 5, noNaN: true }), (cost, mtbf, factor) => {
        fc.pre(cost < mtbf / 2);
        const best = total(dalyInterval(cost, mtbf), cost, mtbf);
        // A series that was cut off: a thousandth.
        expect(best).toBeLessThanOrEqual(total(dalyInterval(cost, mtbf) * factor, cost, mtbf) * 1.001);
      }),
    );
  });
});

describe("the best interval", () => {
  test("of the issue: 0.41 s a generation, a failure each 30 days: every 25 min, 0.03 %, 12 min", () => {
    const best = bestInterval({ cost: 0.41 * second, lasts: second, mtbf: 30 * day }, rules);
    expect(best).toMatchObject({ every: 25 * minute, ruledBy: "cost" });
    expect(best.overhead).toBeCloseTo(0.0003, 4);
    expect(Math.round(best.loss / minute)).toBe(12);
  });

  test.each([
    { rule: "min-every", facts: { cost: 1, lasts: 1, mtbf: minute }, every: minute },
    { rule: "take", facts: { cost: 10, lasts: 5 * minute, mtbf: day }, every: 10 * minute },
    { rule: "max-overhead", facts: { cost: 30 * second, lasts: 30 * second, mtbf: day }, every: 50 * minute },
    { rule: "max-every", facts: { cost: 10 * minute, lasts: second, mtbf: 365 * day }, every: 6 * hour },
    { rule: "max-every", facts: { cost: hour, lasts: second, mtbf: day }, every: 6 * hour },
  ] as const)("says which bound ruled: $rule", ({ rule, facts, every }) => {
    const best = bestInterval(facts, rules);
    expect(best).toMatchObject({ ruledBy: rule, every });
    if (rule !== "take") expect(best.why).toContain(rule);
  });

  test("lies within the bounds, and its overhead under the cap, unless max-every forbids", () => {
    fc.assert(
      fc.property(facts, anyRules, (given, bounds) => {
        const { every, overhead, ruledBy } = bestInterval(given, bounds);
        expect(Number.isInteger(every)).toBe(true);
        expect(every).toBeLessThanOrEqual(bounds.maxEvery);
        expect(every).toBeGreaterThanOrEqual(bounds.minEvery);
        if (overhead > bounds.maxOverhead) expect([every, ruledBy]).toEqual([bounds.maxEvery, "max-every"]);
        if (every < 2 * given.lasts) expect([every, ruledBy]).toEqual([bounds.maxEvery, "max-every"]);
      }),
    );
  });

  test("grows with the cost, and with the time between failures", () => {
    fc.assert(
      fc.property(facts, anyRules, fc.double({ min: 1, max: 10, noNaN: true }), (given, bounds, factor) => {
        // Beyond, the formula has a step (see there).
        fc.pre(given.cost * factor < 2 * given.mtbf);
        const { every } = bestInterval(given, bounds);
        expect(bestInterval({ ...given, cost: given.cost * factor }, bounds).every).toBeGreaterThanOrEqual(every);
        expect(bestInterval({ ...given, mtbf: given.mtbf * factor }, bounds).every).toBeGreaterThanOrEqual(every);
      }),
    );
  });

  test("is rounded to what people use, and no further than to the next of these", () => {
    fc.assert(
      fc.property(facts, (given) => {
        fc.pre(given.cost < 2 * given.mtbf);
        const { every, optimum } = bestInterval({ ...given, lasts: 0 }, free);
        fc.pre(optimum > second && optimum < 30 * day);
        expect(Math.max(every / optimum, optimum / every)).toBeLessThan(1.43);
      }),
    );
  });

  test("wavers less than the cost it is told: a tenth more or less leaves most intervals as they are", () => {
    const costs = Array.from({ length: 200 }, (_, at) => 100 * 1.03 ** at);
    const every = (cost: number) => bestInterval({ cost, lasts: 0, mtbf: 30 * day }, free).every;
    const steady = costs.filter((cost) => every(cost) === every(cost * 1.1));
    expect(steady.length / costs.length).toBeGreaterThan(0.6);
  });
});

test("what is lost by a failure is half the interval where failures are seldom, less where they are not, never more", () => {
  expect(expectation(hour, 0, 1000 * day).loss).toBeCloseTo(hour / 2, -2);
  fc.assert(
    fc.property(ms(1, 10 * day), ms(minute, 100 * day), (every, mtbf) => {
      const { loss } = expectation(every, 1, mtbf);
      expect(loss).toBeLessThanOrEqual(every / 2 + 1);
      expect(loss).toBeLessThanOrEqual(mtbf);
      expect(loss).toBeGreaterThan(-1);
    }),
  );
});

function ms(min: number, max: number) {
  return fc.double({ min, max, noNaN: true });
}

const facts = fc.record({ cost: ms(1, hour), lasts: ms(0, hour), mtbf: ms(minute, 400 * day) });
const anyRules: fc.Arbitrary<IntervalRules> = fc
  .record({
    mtbf: fc.constant(day),
    minEvery: fc.integer({ min: 1, max: hour }),
    room: fc.integer({ min: 0, max: 10 * day }),
    maxOverhead: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ room, ...rest }) => ({ ...rest, maxEvery: rest.minEvery + room }));

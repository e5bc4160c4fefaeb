import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JobName } from "../../../src/domain/job.ts";
import { nextTake, orderTakes, predictTake, type Waiting, whySkipped } from "../../../src/domain/plan-take-all.ts";

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- tests choose valid names
const named = (name: string) => name as JobName;
const waits = (job: string, exposure: number, predicted: number | null): Waiting => ({ job: named(job), exposure, predicted });

describe("the order of takes", () => {
  test("is the greatest work at risk first, and jobs without history last", () => {
    const order = orderTakes([
      waits("a", 5, 1),
      waits("b", 900, null),
      waits("c", 70, 1),
      waits("d", 1000, null),
      waits("e", 5, 1),
    ]);
    expect(order.map(({ job }) => job)).toEqual(["c", "a", "e", "d", "b"]);
  });

  test("passes over what does not fit into the time left, for the next that does", () => {
    const waiting = [waits("large", 9, 40_000), waits("small", 5, 3_000), waits("new", 1, null)];
    const { begin, skipped, waiting: rest } = nextTake(waiting, 12_000);
    expect(begin?.job).toBe("small");
    expect(skipped.map(whySkipped)).toEqual(["predicted 40 s, 12 s left"]);
    expect(rest.map(({ job }) => job)).toEqual(["new"]);
  });

  test("without a deadline passes nobody over", () => {
    expect(nextTake([waits("a", 1, 1e12)], null)).toMatchObject({ begin: { job: "a" }, skipped: [] });
  });

  test("begins nothing, of known length or not, when the time is up", () => {
    expect(nextTake([waits("a", 1, 0), waits("b", 1, null)], 500)).toMatchObject({ begin: null, waiting: [], skipped: [{}, {}] });
  });
});

describe("the prediction", () => {
  const past = [
    { kind: "base", milliseconds: 20_000 },
    { kind: "increment", milliseconds: 2_000 },
    { kind: "increment", milliseconds: 4_000 },
  ] as const;
  test("is the longest of the kind that comes next, and a margin", () => {
    expect(predictTake(past, "increment")).toBe(7_000);
    expect(predictTake(past, "base")).toBe(31_000);
  });
  test("takes an increment without history for a base, and never a base for an increment", () => {
    expect(predictTake(past.slice(0, 1), "increment")).toBe(31_000);
    expect(predictTake(past.slice(1), "base")).toBeNull();
    expect(predictTake([], "increment")).toBeNull();
  });
});

/** All takes as they would run if each lasted as predicted (`real` for those nothing is known of). */
function played(jobs: readonly Waiting[], places: number, deadline: number, real: number) {
  const begun: { job: JobName; from: number; to: number }[] = [];
  const skipped: JobName[] = [];
  const free = Array.from({ length: places }, () => 0);
  let waiting = orderTakes(jobs);
  for (;;) {
    const now = Math.min(...free);
    const plan = nextTake(waiting, deadline - now);
    waiting = plan.waiting;
    skipped.push(...plan.skipped.map(({ job }) => job));
    if (plan.begin === null) return { begun, skipped };
    const to = now + (plan.begin.predicted ?? real);
    begun.push({ job: plan.begin.job, from: now, to });
    free[free.indexOf(now)] = to;
  }
}

const jobsOfAll = fc
  .array(fc.record({ exposure: fc.nat(1e6), predicted: fc.option(fc.integer({ min: 1, max: 60_000 }), { nil: null }) }), {
    maxLength: 12,
  })
  .map((all) => all.map((one, at) => ({ job: named(`job-${at}`), ...one })));

test("by the predictions no take ends after the deadline, and each job is begun or passed over exactly once", () => {
  const run = fc.property(
    jobsOfAll,
    fc.integer({ min: 1, max: 4 }),
    fc.nat(120_000),
    fc.nat(60_000),
    (jobs, places, deadline, real) => {
      const { begun, skipped } = played(jobs, places, deadline, real + 1);
      expect([...begun.map(({ job }) => job), ...skipped].toSorted()).toEqual(jobs.map(({ job }) => job).toSorted());
      for (const { job, from, to } of begun) {
        expect(from).toBeLessThan(deadline);
        if (jobs.find((one) => one.job === job)?.predicted !== null) expect(to).toBeLessThanOrEqual(deadline);
      }
    },
  );
  fc.assert(run, { numRuns: 500 });
});

test("nobody is passed over who would have fitted in the place that was free", () => {
  const run = fc.property(jobsOfAll, fc.nat(120_000), (jobs, deadline) => {
    const { begun, skipped } = played(jobs, 1, deadline, 1);
    const end = begun.at(-1)?.to ?? 0;
    for (const job of skipped) {
      const predicted = jobs.find((one) => one.job === job)?.predicted ?? 0;
      // Only what was begun before it, which had more at risk, can have used up its time.
      expect(Math.max(predicted, 1_000)).toBeGreaterThan(deadline - Math.max(end, 0));
    }
  });
  fc.assert(run, { numRuns: 300 });
});

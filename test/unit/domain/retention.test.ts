import fc from "fast-check";
import { DateTime } from "luxon";
import { describe, expect, test } from "vitest";
import type { Generation } from "../../../src/domain/generation.ts";
import type { JobName } from "../../../src/domain/job.ts";
import { formatPolicy, parsePolicy } from "../../../src/domain/policy.ts";
import { planRetention } from "../../../src/domain/retention.ts";
import { Fault } from "../../../src/faults/fault.ts";

const hour = 3_600_000;
const noon = Date.UTC(2026, 10, 21, 12);

function point(number: number, takenAt: number, more: Partial<Generation> = {}): Generation {
  return {
    job: "lj" as JobName,
    number,
    id: `id-${number}`,
    timeline: 1,
    run: 1,
    kind: "base",
    parent: null,
    takenAt,
    state: "sealed",
    reason: "",
    tracking: "compare",
    bytes: 100,
    freezeMicros: 0,
    pages: { scanned: 0, written: 0, skipped: 0, kept: 0 },
    provenAt: null,
    provenMilliseconds: null,
    held: false,
    ...more,
  };
}

const plan = (points: readonly Generation[], policy: string, zone = "UTC", restoredFrom: readonly number[] = []) =>
  planRetention({ points, policy: parsePolicy(policy), zone, restoredFrom: new Set(restoredFrom) });
const keptNumbers = (points: readonly Generation[], policy: string, zone?: string) =>
  plan(points, policy, zone).kept.map((one) => one.number);

describe("a policy", () => {
  test("keeps the newest so many", () => {
    const points = [1, 2, 3, 4].map((number) => point(number, noon + number * hour));
    expect(keptNumbers(points, "last=2")).toEqual([3, 4]);
  });

  test("keeps everything when it has no rule", () => {
    expect(keptNumbers([point(1, noon), point(2, noon + 1)], "all")).toEqual([1, 2]);
  });

  test("keeps the newest of each day", () => {
    const points = [1, 2, 3, 4, 5, 6].map((number) => point(number, noon + number * 9 * hour));
    expect(keptNumbers(points, "daily=2")).toEqual([3, 6]);
  });

  test("counts back from the newest point and not from now, so that a job that stands still loses nothing", () => {
    expect(keptNumbers([point(1, noon), point(2, noon + hour), point(3, noon + 3 * hour)], "within=2h")).toEqual([2, 3]);
  });

  test("counts the hour that the autumn night has twice as two", () => {
    // Berlin, 25 October 2026: 02:30 CEST is 00:30Z, 02:30 CET is 01:30Z.
    const points = [point(1, Date.UTC(2026, 9, 25, 0, 30)), point(2, Date.UTC(2026, 9, 25, 1, 30))];
    expect(keptNumbers(points, "hourly=2", "Europe/Berlin")).toEqual([1, 2]);
  });

  test("begins a day when the job's people begin it", () => {
    const points = [point(1, Date.UTC(2026, 10, 20, 22, 30)), point(2, Date.UTC(2026, 10, 20, 23, 30))];
    expect(keptNumbers(points, "daily=5", "Europe/Berlin")).toEqual([1, 2]);
    expect(keptNumbers(points, "daily=5", "UTC")).toEqual([2]);
  });

  test("fills its buckets timeline by timeline", () => {
    const points = [point(1, noon), point(2, noon + 1), point(3, noon + 2, { timeline: 2 })];
    expect(keptNumbers(points, "last=1")).toEqual([2, 3]);
  });

  test("never takes a held point, the newest proven one, or one that a run was restored from", () => {
    const points = [1, 2, 3, 4, 5].map((number) =>
      point(number, noon + number, { held: number === 1, provenAt: number < 4 && number > 1 ? noon : null }),
    );
    const { kept } = plan(points, "last=1", "UTC", [2]);
    expect(kept).toEqual([
      { number: 1, reasons: ["held"] },
      { number: 2, reasons: ["a run was restored from it"] },
      { number: 3, reasons: ["the newest proven one"] },
      { number: 5, reasons: ["the newest restore point", "last 1 of 1"] },
    ]);
  });

  test("gives up the least valuable points first for max-bytes, and says so", () => {
    const points = [1, 2, 3, 4].map((number) => point(number, noon + number * 25 * hour));
    const { kept, expired } = plan(points, "last=4, daily=2, max-bytes=250");
    expect(kept.map((one) => one.number)).toEqual([3, 4]);
    expect(expired.map((one) => one.number)).toEqual([1, 2]);
    expect(expired[0]?.reason).toMatch(/max-bytes/);
  });

  const anyPolicy = fc
    .record({
      last: fc.option(fc.integer({ min: 0, max: 5 })),
      hourly: fc.option(fc.integer({ min: 0, max: 5 })),
      weekly: fc.option(fc.integer({ min: 0, max: 5 })),
      "max-points": fc.option(fc.integer({ min: 1, max: 4 })),
      "max-bytes": fc.option(fc.integer({ min: 1, max: 500 })),
    })
    .map((rules) => Object.entries(rules).flatMap(([word, value]) => (value === null ? [] : [`${word}=${value}`])))
    .filter((rules) => !rules.some((rule) => rule.endsWith("=0")))
    .map((rules) => rules.join(", "));
  const anyPoints = fc
    .array(
      fc.record({
        gap: fc.integer({ min: 1, max: 40 * hour }),
        held: fc.boolean(),
        proven: fc.boolean(),
        timeline: fc.integer({ min: 1, max: 2 }),
      }),
      {
        minLength: 1,
        maxLength: 30,
      },
    )
    .map((list) => {
      let at = noon;
      return list.map(({ gap, held, proven, timeline }, index) => {
        at += gap;
        return point(index + 1, at, { held, provenAt: proven ? at : null, timeline });
      });
    });

  test("never takes the last one: not the newest, not the newest proven, not a held one", () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, (points, policy) => {
        const kept = new Set(keptNumbers(points, policy));
        expect(kept.has(points.length)).toBe(true);
        const proven = points.filter((one) => one.provenAt !== null).at(-1);
        if (proven) expect(kept.has(proven.number)).toBe(true);
        for (const one of points) if (one.held) expect(kept.has(one.number)).toBe(true);
      }),
    );
  });

  test("names every point once with a reason, and applied again changes nothing", () => {
    fc.assert(
      fc.property(anyPoints, anyPolicy, (points, policy) => {
        const first = plan(points, policy);
        expect([...first.kept, ...first.expired].map((one) => one.number).toSorted((a, b) => a - b)).toEqual(
          points.map((one) => one.number),
        );
        for (const one of first.kept) expect(one.reasons.length).toBeGreaterThan(0);
        const kept = new Set(first.kept.map((one) => one.number));
        const again = plan(
          points.filter((one) => kept.has(one.number)),
          policy,
        );
        expect(again.expired).toEqual([]);
      }),
    );
  });

  test("reads back as it is written", () => {
    fc.assert(
      fc.property(anyPolicy, (text) => {
        const once = formatPolicy(parsePolicy(text));
        expect(formatPolicy(parsePolicy(once))).toBe(once);
      }),
    );
  });

  test.each(["lats=3", "last=-1", "last", "last=1,last=2", "last=0", "max-bytes=0", "daily=1.5", "=3"])("%s is refused", (text) => {
    expect(() => parsePolicy(text)).toThrow(Fault);
  });
});

test("a bucket is what the calendar of the zone calls one, a night with an hour twice or a week over new year included", () => {
  const names = { hourly: "yyyy-MM-dd HH ZZ", daily: "yyyy-MM-dd", weekly: "kkkk-'W'WW", monthly: "yyyy-MM", yearly: "yyyy" };
  const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia");
  // Close together, so that many share a bucket and some are on either side of a change.
  const begin = fc.constantFrom(
    Date.UTC(2026, 9, 24, 20),
    Date.UTC(2026, 9, 31, 20),
    Date.UTC(2026, 11, 25),
    Date.UTC(2026, 3, 4, 10),
  );
  const gaps = fc.array(fc.integer({ min: 60_000, max: 9 * hour }), { maxLength: 60 });
  fc.assert(
    fc.property(
      begin,
      gaps,
      zones,
      fc.constantFrom<keyof typeof names>("hourly", "daily", "weekly", "monthly", "yearly"),
      (first, between, zone, bucket) => {
        let at = first;
        const points = [0, ...between].map((gap, index) => point(index + 1, (at += gap)));
        const named = points.map(({ takenAt }) => DateTime.fromMillis(takenAt, { zone }).toFormat(names[bucket]));
        // The newest of each bucket.
        const wanted = points.filter((_, index) => named.lastIndexOf(named[index] ?? "") === index).map(({ number }) => number);
        expect(keptNumbers(points, `${bucket}=1000`, zone)).toEqual(wanted);
      },
    ),
  );
});

import { DateTime } from "luxon";
import { describe, expect, test } from "vitest";
import type { Generation } from "../../../src/domain/generation.ts";
import type { JobName } from "../../../src/domain/job.ts";
import { parsePolicy } from "../../../src/domain/policy.ts";
import { planRetention } from "../../../src/domain/retention.ts";

const minute = 60_000;

type Year = {
  readonly name: string;
  readonly policy: string;
  readonly zone: string;
  readonly everyMinutes: number;
  readonly proven?: number;
};

/**
 * A year of a job's life, minute by minute: a point falls due every so many of them, and after each the policy is applied, as the service
 * does. What is left at the end, with the reasons, is the golden file; what must hold at every step is asserted on the way.
 */
function liveThroughTheYear({ policy: text, zone, everyMinutes, proven }: Year): string {
  const policy = parsePolicy(text);
  const begin = DateTime.fromISO("2026-01-01T00:00", { zone }).toMillis();
  const end = DateTime.fromISO("2027-01-01T00:00", { zone }).toMillis();
  let points: Generation[] = [];
  let number = 0;
  let most = 0;
  for (let now = begin; now < end; now += minute) {
    if (((now - begin) / minute) % everyMinutes !== 0) continue;
    number += 1;
    points.push(point(number, now, number === proven ? now : null));
    const plan = planRetention({ points, policy, zone, restoredFrom: new Set() });
    const kept = new Set(plan.kept.map((one) => one.number));
    // L5, every time.
    if (!kept.has(number)) throw new Error(`the newest point, ${number}, would go`);
    if (proven !== undefined && number >= proven && !kept.has(proven)) throw new Error("the proven point would go");
    points = points.filter((one) => kept.has(one.number));
    most = Math.max(most, points.length);
  }
  const { kept } = planRetention({ points, policy, zone, restoredFrom: new Set() });
  const at = new Map(
    points.map((one) => [one.number, DateTime.fromMillis(one.takenAt, { zone }).toFormat("ccc yyyy-MM-dd HH:mm ZZ")]),
  );
  const lines = kept.map((one) => `${at.get(one.number)}  ${one.reasons.join(", ")}`);
  return [
    `${text} in ${zone}, a point every ${everyMinutes} min, ${number} taken, never more than ${most} kept`,
    ...lines,
    "",
  ].join("\n");
}

function point(number: number, takenAt: number, provenAt: number | null): Generation {
  return {
    job: "year" as JobName,
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
    bytes: 2 ** 30,
    freezeMicros: 0,
    pages: { scanned: 0, written: 0, skipped: 0, kept: 0 },
    provenAt,
    provenMilliseconds: null,
    held: false,
  };
}

describe("a year under a policy leaves what its golden file shows", () => {
  const years: readonly Year[] = [
    {
      name: "the-default-every-ten-minutes",
      policy: "last=6, within=2h, hourly=24, daily=7, weekly=4, monthly=3",
      zone: "UTC",
      everyMinutes: 10,
    },
    { name: "days-and-months-in-berlin", policy: "daily=7, monthly=12, yearly=2", zone: "Europe/Berlin", everyMinutes: 30 },
    {
      name: "hours-in-new-york-with-a-proven-point",
      policy: "last=2, hourly=5",
      zone: "America/New_York",
      everyMinutes: 15,
      proven: 100,
    },
    { name: "at-most-eight-gibibytes", policy: "hourly=24, daily=7, max-bytes=8GiB", zone: "UTC", everyMinutes: 60 },
  ];
  test.each(years)("$name", { timeout: 120_000 }, async (year) => {
    await expect(liveThroughTheYear(year)).toMatchFileSnapshot(`golden/${year.name}.txt`);
  });
});

import type { Generation } from "./generation.ts";
import { type CalendarBucket, calendarBuckets, type Policy } from "./policy.ts";
import { offsetAt } from "./time.ts";

export type RetentionFacts = {
  /** The restore points of one job, in any order. */
  readonly points: readonly Generation[];
  readonly policy: Policy;
  /** The job's time zone: a day begins when its people's day begins. */
  readonly zone: string;
  /** Points that runs were restored from. */
  readonly restoredFrom: ReadonlySet<number>;
};

/** Every point once, oldest first, each with its reasons: why it stays, or why it goes. */
export type RetentionPlan = {
  readonly kept: readonly { readonly number: number; readonly reasons: readonly string[] }[];
  readonly expired: readonly { readonly number: number; readonly reason: string }[];
};

/**
 * What a policy keeps, and why. Buckets are filled timeline by timeline, newest first (as restic's `forget` does). L5: the newest point, the
 * newest proven one, held ones and those that a run was restored from stay whatever the policy says, and `max-bytes` and `max-points` cannot take them.
 *
 * No clock is read: `within` counts back from the newest point of the timeline, so a job that stands still loses nothing.
 */
export function planRetention(facts: RetentionFacts): RetentionPlan {
  const points = facts.points.toSorted((a, b) => a.number - b.number);
  const safe = alwaysKept(points, facts.restoredFrom);
  const wanted = wantedByRules(facts);
  const givenUp = giveUp(points, facts.policy, safe, wanted);
  const kept: RetentionPlan["kept"][number][] = [];
  const expired: RetentionPlan["expired"][number][] = [];
  for (const { number } of points) {
    const reasons = [...(safe.get(number) ?? []), ...(wanted.get(number) ?? [])];
    const gone = givenUp.get(number);
    if (gone !== undefined) expired.push({ number, reason: gone });
    else if (reasons.length > 0) kept.push({ number, reasons });
    else expired.push({ number, reason: "no rule of the policy wants it" });
  }
  return { kept, expired };
}

function alwaysKept(points: readonly Generation[], restoredFrom: ReadonlySet<number>): ReadonlyMap<number, readonly string[]> {
  const newestProven = points.filter((point) => point.provenAt !== null).at(-1);
  return new Map(
    points.map((point) => [
      point.number,
      [
        ...(point === points.at(-1) ? ["the newest restore point"] : []),
        ...(point === newestProven ? ["the newest proven one"] : []),
        ...(point.held ? ["held"] : []),
        ...(restoredFrom.has(point.number) ? ["a run was restored from it"] : []),
      ],
    ]),
  );
}

/** For every point the rules that want it; each timeline is gone through once for each rule. */
function wantedByRules({ points, policy, zone }: RetentionFacts): ReadonlyMap<number, readonly string[]> {
  const wanted = new Map<number, string[]>(points.map((point) => [point.number, []]));
  const { last, within, calendar } = policy;
  const keepsAll = [last, within, ...Object.values(calendar)].every((rule) => rule === null);
  for (const newestFirst of timelines(points)) {
    const newest = newestFirst[0]?.takenAt ?? 0;
    for (const [index, point] of newestFirst.entries()) {
      const reasons = wanted.get(point.number);
      if (keepsAll) reasons?.push("no rule says otherwise");
      if (last !== null && index < last) reasons?.push(`last ${index + 1} of ${last}`);
      if (within !== null && newest - point.takenAt <= within) reasons?.push("within");
    }
    for (const bucket of calendarBuckets) {
      const count = calendar[bucket] ?? 0;
      for (const [index, point] of newestOfEach(newestFirst, bucket, zone, count).entries()) {
        wanted.get(point.number)?.push(`${bucket} ${index + 1} of ${count}`);
      }
    }
  }
  return wanted;
}

function timelines(points: readonly Generation[]): readonly (readonly Generation[])[] {
  const byTimeline = new Map<number, Generation[]>();
  for (const point of points.toSorted((a, b) => b.number - a.number)) {
    const own = byTimeline.get(point.timeline);
    if (own) own.push(point);
    else byTimeline.set(point.timeline, [point]);
  }
  return [...byTimeline.values()];
}

/** The newest point of each of the newest `count` buckets that have one. */
function newestOfEach(
  newestFirst: readonly Generation[],
  bucket: CalendarBucket,
  zone: string,
  count: number,
): readonly Generation[] {
  const chosen = new Map<string, Generation>();
  for (const point of newestFirst) {
    if (chosen.size === count) break;
    const key = bucketOf(point, bucket, zone);
    if (!chosen.has(key)) chosen.set(key, point);
  }
  return [...chosen.values()];
}

const [hour, day] = [3_600_000, 86_400_000];

/** The same for two points if and only if they fall into the same bucket, by the zone's clocks. */
function bucketOf(point: Generation, bucket: CalendarBucket, zone: string): string {
  const offset = offsetAt(point.takenAt, zone);
  const shown = point.takenAt + offset * 60_000;
  switch (bucket) {
    case "hourly":
      // The offset belongs to it: the hour that a daylight-saving night has twice is two hours.
      return `${Math.floor(shown / hour)} ${offset}`;
    case "daily":
      return String(Math.floor(shown / day));
    case "weekly":
      // Weeks begin on Monday, and 1970 began on a Thursday.
      return String(Math.floor((Math.floor(shown / day) + 3) / 7));
    case "monthly":
      return new Date(shown).toISOString().slice(0, -"-ddThh:mm:ss.mmmZ".length);
    case "yearly":
      return new Date(shown).toISOString().slice(0, -"-mm-ddThh:mm:ss.mmmZ".length);
  }
}

/** Points taken away by `max-points` and `max-bytes`: those that the fewest rules want first, of these the oldest first. */
function giveUp(
  points: readonly Generation[],
  { maxBytes, maxPoints }: Policy,
  safe: ReadonlyMap<number, readonly string[]>,
  wanted: ReadonlyMap<number, readonly string[]>,
): ReadonlyMap<number, string> {
  const givenUp = new Map<number, string>();
  const stays = points.filter((point) => (safe.get(point.number)?.length ?? 0) + (wanted.get(point.number)?.length ?? 0) > 0);
  const value = (point: Generation) => wanted.get(point.number)?.length ?? 0;
  const candidates = stays
    .filter((point) => safe.get(point.number)?.length === 0)
    .toSorted((a, b) => value(a) - value(b) || a.number - b.number);
  let count = stays.length;
  let bytes = stays.reduce((sum, point) => sum + point.bytes, 0);
  for (const point of candidates) {
    const tooMany = maxPoints !== null && count > maxPoints;
    const tooBig = maxBytes !== null && bytes > maxBytes;
    if (!tooMany && !tooBig) break;
    givenUp.set(
      point.number,
      `${tooBig ? "max-bytes" : "max-points"}: the least valuable of those left (${value(point)} rule${value(point) === 1 ? "" : "s"} wanted it)`,
    );
    count -= 1;
    bytes -= point.bytes;
  }
  return givenUp;
}

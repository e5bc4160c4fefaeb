import { DateTime } from "luxon";
import type { Generation } from "./generation.ts";
import { type CalendarBucket, calendarBuckets, type Policy } from "./policy.ts";

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
  const wanted = new Map(points.map((point) => [point.number, wantedBy(point, points, facts)] as const));
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

function wantedBy(point: Generation, points: readonly Generation[], { policy, zone }: RetentionFacts): readonly string[] {
  const newestFirst = points.filter((one) => one.timeline === point.timeline).toReversed();
  const reasons: string[] = [];
  const { last, within, calendar } = policy;
  const rules = [last, within, ...Object.values(calendar)];
  if (rules.every((rule) => rule === null)) reasons.push("no rule says otherwise");
  if (last !== null && newestFirst.indexOf(point) < last) reasons.push(`last ${newestFirst.indexOf(point) + 1} of ${last}`);
  const newest = newestFirst[0]?.takenAt ?? point.takenAt;
  if (within !== null && newest - point.takenAt <= within) reasons.push("within");
  for (const bucket of calendarBuckets) {
    const place = placeIn(point, newestFirst, bucket, zone);
    const count = calendar[bucket];
    if (count !== null && place !== null && place < count) reasons.push(`${bucket} ${place + 1} of ${count}`);
  }
  return reasons;
}

/** How many buckets back this point is the newest of its bucket; `null` if a newer one of the bucket is there. */
function placeIn(point: Generation, newestFirst: readonly Generation[], bucket: CalendarBucket, zone: string): number | null {
  const own = bucketOf(point.takenAt, bucket, zone);
  const keys: string[] = [];
  for (const one of newestFirst) {
    const key = bucketOf(one.takenAt, bucket, zone);
    if (one === point) return keys.includes(own) ? null : keys.length;
    if (!keys.includes(key)) keys.push(key);
  }
  return null;
}

const formats = {
  hourly: "yyyy-MM-dd HH ZZ",
  daily: "yyyy-MM-dd",
  weekly: "kkkk-'W'WW",
  monthly: "yyyy-MM",
  yearly: "yyyy",
} as const;

/** The offset belongs to the hour's name: the hour that a daylight-saving night has twice is two hours. */
function bucketOf(takenAt: number, bucket: CalendarBucket, zone: string): string {
  return DateTime.fromMillis(takenAt, { zone }).toFormat(formats[bucket]);
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

import { CronExpressionParser, type CronExpression } from "cron-parser";
import { Fault } from "../faults/fault.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { checkZone } from "./time.ts";

/** When generations fall due: at an interval that is planned from what they cost (`plan-interval.ts`), or as fixed. */
export type Schedule = FixedSchedule | { readonly type: "auto" };

/** At a fixed interval, or by the calendar. */
export type FixedSchedule =
  | { readonly type: "every"; readonly milliseconds: number }
  | { readonly type: "cron"; readonly expression: string; readonly zone: string };

const shortestInterval = 1_000;
const longestSpread = 60_000;
/** More missed moments than this are not counted one by one. */
const mostMissed = 1_000;

/**
 * Five fields, or six with seconds first, in a named zone; `H` in a field is a number of the job's own. Or an interval of a second or more.
 * Faults: `duration-invalid`, `interval-short`, `cron-invalid`, `zone-invalid`.
 */
export function makeSchedule(words: { readonly every: string } | { readonly cron: string; readonly zone: string }): FixedSchedule {
  if ("every" in words) {
    const milliseconds = parseDuration(words.every);
    if (milliseconds < shortestInterval) throw Fault.of("interval-short", { text: words.every });
    return { type: "every", milliseconds };
  }
  const schedule = { type: "cron", expression: words.cron.trim(), zone: checkZone(words.zone) } as const;
  // cron-parser reads an empty text as "every minute" and fills short ones up from the left.
  const fields = schedule.expression.split(/\s+/).length;
  if (fields !== 5 && fields !== 6)
    throw Fault.of("cron-invalid", { text: JSON.stringify(words.cron), why: `it has ${fields} fields` });
  try {
    cronFrom(schedule, 0, "").next();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw Fault.of("cron-invalid", { text: JSON.stringify(words.cron), why }, { cause });
  }
  return schedule;
}

/** What `--every` and `defaults.every` say: an interval, `auto`, or `never` and nothing (`null`). Faults: `duration-invalid`, `interval-short`. */
export function scheduleEvery(text: string): Schedule | null {
  if (text === "" || text === "never") return null;
  return text === "auto" ? { type: "auto" } : makeSchedule({ every: text });
}

/** The schedule with a number where it says `auto`: the interval that is planned now, milliseconds. */
export function fixedSchedule(schedule: Schedule, interval: number): FixedSchedule {
  return schedule.type === "auto" ? { type: "every", milliseconds: interval } : schedule;
}

/**
 * The next moment after `after` at which a generation falls due; all in milliseconds since the epoch.
 *
 * `every`: moments stand on a grid of the job's own (multiples of the interval, moved by a hash of `seed`), so that lateness does
 * not add up, nor restarts move it, and jobs of one interval do not all freeze at once. One that would come within a tenth of the
 * interval is passed over: the first gap may so be up to a tenth too long, every later one is exact.
 * `cron`: exactly as written, in the zone's own time, daylight saving included; `spread` moves it by up to so many milliseconds.
 */
export function nextDue(schedule: FixedSchedule, after: number, seed: string, spread = 0): number {
  if (schedule.type === "cron") {
    const moved = offset(seed, spread);
    return (
      cronFrom(schedule, after - moved, seed)
        .next()
        .getTime() + moved
    );
  }
  const { milliseconds } = schedule;
  const moved = offset(seed, Math.min(milliseconds / 10, longestSpread));
  const earliest = after + milliseconds / 10;
  return Math.ceil((earliest - moved) / milliseconds) * milliseconds + moved;
}

/**
 * How many further moments have gone by between `lastDue` (which is served now, late) and `now`, both inclusive of `now` only: after
 * downtime there is one catch-up, and these are counted as missed. Counts to a thousand and no further.
 */
export function missedSince(schedule: FixedSchedule, lastDue: number, now: number, seed = ""): number {
  if (now <= lastDue) return 0;
  if (schedule.type === "every") return Math.min(mostMissed, Math.floor((now - lastDue) / schedule.milliseconds));
  const cron = cronFrom(schedule, lastDue, seed);
  let count = 0;
  while (count < mostMissed && cron.next().getTime() <= now) count += 1;
  return count;
}

/** A schedule in words a person wrote or could have written. */
export function formatSchedule(schedule: Schedule): string {
  if (schedule.type === "auto") return "every auto";
  return schedule.type === "cron" ? `${schedule.expression} (${schedule.zone})` : `every ${formatDuration(schedule.milliseconds)}`;
}

function cronFrom(schedule: Extract<FixedSchedule, { type: "cron" }>, after: number, seed: string): CronExpression {
  // Without a seed `H` would be another number each time it is read.
  return CronExpressionParser.parse(schedule.expression, { currentDate: after, tz: schedule.zone, hashSeed: seed });
}

/** FNV-1a over the text, within `0 <= offset < range`: the same for ever, on every machine. */
function offset(text: string, range: number): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  const whole = Math.floor(range);
  return whole <= 0 ? 0 : hash % whole;
}

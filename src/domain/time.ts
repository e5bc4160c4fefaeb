import { DateTime, IANAZone } from "luxon";
import { Fault } from "../faults/fault.ts";
import { parseDuration } from "./duration.ts";

const day = 86_400_000;
const isoWithZone = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)$/;
const local = /^(?:(\d{4}-\d\d-\d\d|today|yesterday)[T ])?(\d\d?:\d\d(?::\d\d(?:\.\d{1,3})?)?)$/;

/**
 * A moment as a person writes it: an ISO time with or without a zone, `2026-11-21 14:05`, `14:05` (the latest such moment that is not
 * in the future), `yesterday 14:05`, `today 14:05`, `2h ago`, `now`. What has no zone of its own is read in `zone`.
 *
 * A local time that a change of the clocks makes happen twice, or never, is refused, and both readings are named: to go back to
 * the wrong one of two points an hour apart is worse than to be asked again.
 *
 * Gives milliseconds since the epoch. Faults: `time-invalid`, `duration-invalid`, `zone-invalid`.
 */
export function parseTime(text: string, now: number, zone: string): number {
  const words = text.trim().replace(/\s+/g, " ");
  if (words === "now") return now;
  if (words.endsWith(" ago")) return now - parseDuration(words.slice(0, -" ago".length));
  if (isoWithZone.test(words)) return isoMoment(words);
  const parts = local.exec(words);
  if (!parts?.[2])
    throw invalid(text, /^\d{4}-\d\d-\d\d$/.test(words) ? "it needs a time of day too" : "it has no shape known here");
  const clock = parts[2].replace(/^(\d):/, "0$1:");
  const today = dateIn(now, checkZone(zone));
  if (parts[1] === undefined) return latest(text, clock, today, now, zone);
  const date = parts[1] === "today" ? today : parts[1] === "yesterday" ? dayBefore(today) : parts[1];
  return only(text, readings(text, `${date}T${clock}`, zone), zone);
}

/** `2026-11-21 14:05:09` in the zone; {@link parseTime} reads it back to the second. */
export function formatTime(milliseconds: number, zone: string): string {
  checkZone(zone);
  if (!isPlain(milliseconds)) return DateTime.fromMillis(milliseconds, { zone }).toFormat("yyyy-MM-dd HH:mm:ss");
  return new Date(milliseconds + offsetAt(milliseconds, zone) * 60_000).toISOString().slice(0, 19).replace("T", " ");
}

/** `2026-11-21T14:05:09.123Z`, for programs. */
export function isoTime(milliseconds: number): string {
  if (!isPlain(milliseconds)) return DateTime.fromMillis(milliseconds, { zone: "utc" }).toFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'");
  return new Date(milliseconds).toISOString();
}

/** The zone's name as given, if it is one. Fault: `zone-invalid`. */
export function checkZone(zone: string): string {
  if (knownZones.has(zone)) return zone;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    knownZones.add(zone);
    return zone;
  } catch (cause) {
    throw Fault.of("zone-invalid", { zone: JSON.stringify(zone) }, { cause });
  }
}

const knownZones = new Set<string>();

/**
 * How far clocks in the zone are ahead of UTC at this moment, in minutes. No zone changes its clocks twice within two days, so where a day (of UTC)
 * begins and ends with the same offset it is asked no further: a question to the tables takes as long as everything else about a point.
 */
export function offsetAt(milliseconds: number, zone: string): number {
  const number = Math.floor(milliseconds / day);
  const days = knownOffsets.get(zone) ?? new Map<number, number | null>();
  knownOffsets.set(zone, days);
  let known = days.get(number);
  if (known === undefined) {
    const [begins, ends] = [IANAZone.create(zone).offset(number * day), IANAZone.create(zone).offset((number + 1) * day)];
    known = begins === ends ? begins : null;
    days.set(number, known);
  }
  return known ?? IANAZone.create(zone).offset(milliseconds);
}

const knownOffsets = new Map<string, Map<number, number | null>>();

/** Within the years of four digits, which a `Date` writes as luxon does; before 1970 zones kept minutes that have fractions. */
function isPlain(milliseconds: number): boolean {
  return milliseconds >= 0 && milliseconds < 253_370_764_800_000;
}

function isoMoment(text: string): number {
  const moment = DateTime.fromISO(text);
  if (!moment.isValid) throw invalid(text, moment.invalidExplanation ?? "there is no such date");
  return moment.toMillis();
}

function latest(text: string, clock: string, today: string, now: number, zone: string): number {
  const todays = readings(text, `${today}T${clock}`, zone);
  // Of a moment that comes twice tonight, the second may be still to come: then the first is meant.
  const moments = todays.moments.filter((moment) => moment <= now);
  const wasPassedOver = todays.moments.length === 0 && now >= Math.min(...todays.neighbours);
  if (moments.length > 0 || wasPassedOver) return only(text, { ...todays, moments }, zone);
  return only(text, readings(text, `${dayBefore(today)}T${clock}`, zone), zone);
}

type Readings = {
  /** The moments at which clocks in the zone show this time: one, or two, or none. */
  readonly moments: readonly number[];
  /** What it would be with the offset before the change of the clocks, and with the one after it. */
  readonly neighbours: readonly number[];
};

function readings(text: string, localTime: string, zone: string): Readings {
  const asUtc = DateTime.fromISO(localTime, { zone: "utc" });
  if (!asUtc.isValid) throw invalid(text, asUtc.invalidExplanation ?? "there is no such date");
  const wall = asUtc.toMillis();
  const place = IANAZone.create(zone);
  // No zone changes its clocks twice within two days, so these are the only offsets that can be in force.
  const offsets = [...new Set([place.offset(wall - day), place.offset(wall + day)])];
  const neighbours = offsets.map((minutes) => wall - minutes * 60_000);
  return { moments: neighbours.filter((moment) => moment + place.offset(moment) * 60_000 === wall), neighbours };
}

function only(text: string, { moments, neighbours }: Readings, zone: string): number {
  const [first, second] = moments;
  if (first !== undefined && second === undefined) return first;
  const named = neighbours
    .toSorted((a, b) => a - b)
    .map((moment) => DateTime.fromMillis(moment, { zone }).toFormat("yyyy-MM-dd'T'HH:mm:ssZZ"));
  const how = first === undefined ? "never happened in" : "happened twice in";
  throw invalid(text, `it ${how} ${zone}, where the clocks were changed; write ${named.join(" or ")}`);
}

function dateIn(moment: number, zone: string): string {
  return DateTime.fromMillis(moment, { zone }).toFormat("yyyy-MM-dd");
}

function dayBefore(date: string): string {
  return DateTime.fromISO(date, { zone: "utc" }).minus({ days: 1 }).toFormat("yyyy-MM-dd");
}

function invalid(text: string, why: string): Fault {
  return Fault.of("time-invalid", { text: JSON.stringify(text), why });
}

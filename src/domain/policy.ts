import { Fault } from "../faults/fault.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { formatSize, parseSize } from "./size.ts";

/** The calendar buckets, finest first: of each the newest generation stays, in as many as the number says. */
export const calendarBuckets = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type CalendarBucket = (typeof calendarBuckets)[number];

/**
 * The retention rules of a job. A rule that is not there is `null`. A generation stays if one rule wants it; `maxBytes` and `maxPoints`
 * then give up the least valuable ones. No rule at all: everything stays.
 */
export type Policy = {
  /** The newest so many. */
  readonly last: number | null;
  /** All that are no older than this, counted back from the newest generation, in milliseconds. */
  readonly within: number | null;
  readonly calendar: Readonly<Record<CalendarBucket, number | null>>;
  readonly maxBytes: number | null;
  readonly maxPoints: number | null;
};

const words = ["last", "within", ...calendarBuckets, "max-bytes", "max-points"] as const;
type Word = (typeof words)[number];

/** Reads `last=6, within=2h, hourly=24, max-bytes=200GiB`; `all` and the empty text keep everything. Fault: `policy-invalid`. */
export function parsePolicy(text: string): Policy {
  const rules = new Map<Word, string>();
  const trimmed = text.trim();
  for (const rule of trimmed === "" || trimmed === "all" ? [] : trimmed.split(",")) {
    const [word = "", value, more] = rule.split("=").map((part) => part.trim());
    if (!isWord(word)) throw invalid(text, `there is no rule ${word === "" ? "without a name" : word}`);
    if (value === undefined || value === "" || more !== undefined) throw invalid(text, `${word} needs one value`);
    if (rules.has(word)) throw invalid(text, `${word} is there twice`);
    rules.set(word, value);
  }
  const count = (word: Word): number | null => {
    const value = rules.get(word);
    if (value === undefined) return null;
    if (!/^\d{1,6}$/.test(value)) throw invalid(text, `${word} takes a number from 0 to 999999, not ${value}`);
    return Number(value);
  };
  const within = rules.get("within");
  const maxBytes = rules.get("max-bytes");
  const policy: Policy = {
    last: count("last"),
    within: within === undefined ? null : parseDuration(within),
    calendar: {
      hourly: count("hourly"),
      daily: count("daily"),
      weekly: count("weekly"),
      monthly: count("monthly"),
      yearly: count("yearly"),
    },
    maxBytes: maxBytes === undefined ? null : parseSize(maxBytes),
    maxPoints: count("max-points"),
  };
  const wanted = [policy.last, policy.within, ...Object.values(policy.calendar)].filter((value) => value !== null);
  const keepsNothing =
    (wanted.length > 0 && wanted.every((value) => value === 0)) || policy.maxBytes === 0 || policy.maxPoints === 0;
  if (keepsNothing) throw invalid(text, "it would keep nothing");
  return policy;
}

/** The same policy in the order of the table, one blank after each comma. */
export function formatPolicy(policy: Policy): string {
  const rules: [Word, string | null][] = [
    ["last", number(policy.last)],
    ["within", policy.within === null ? null : formatDuration(policy.within)],
    ...calendarBuckets.map((bucket): [Word, string | null] => [bucket, number(policy.calendar[bucket])]),
    ["max-bytes", policy.maxBytes === null ? null : formatSize(policy.maxBytes)],
    ["max-points", number(policy.maxPoints)],
  ];
  const said = rules.flatMap(([word, value]) => (value === null ? [] : [`${word}=${value}`]));
  return said.length === 0 ? "all" : said.join(", ");
}

function number(value: number | null): string | null {
  return value === null ? null : String(value);
}

function isWord(text: string): text is Word {
  return (words as readonly string[]).includes(text);
}

function invalid(text: string, why: string): Fault {
  return Fault.of("policy-invalid", { text, why });
}

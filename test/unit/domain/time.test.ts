import fc from "fast-check";
import { DateTime } from "luxon";
import { describe, expect, test } from "vitest";
import { formatTime, isoTime, offsetAt, parseTime } from "../../../src/domain/time.ts";

const berlin = "Europe/Berlin";
/** 15:30:00 in Berlin, in winter. */
const now = Date.parse("2026-11-21T14:30:00Z");
const read = (text: string, at = now, zone = berlin) => isoTime(parseTime(text, at, zone));

test.each([
  ["now", "2026-11-21T14:30:00.000Z"],
  ["2h ago", "2026-11-21T12:30:00.000Z"],
  ["1h30m ago", "2026-11-21T13:00:00.000Z"],
  ["2026-11-20T08:00:00Z", "2026-11-20T08:00:00.000Z"],
  ["2026-11-20T08:00:00.250+02:00", "2026-11-20T06:00:00.250Z"],
  ["2026-11-20T08:00", "2026-11-20T07:00:00.000Z"],
  ["2026-11-20 08:00", "2026-11-20T07:00:00.000Z"],
  ["2026-07-20 08:00:01", "2026-07-20T06:00:01.000Z"],
  ["14:05", "2026-11-21T13:05:00.000Z"],
  ["9:05", "2026-11-21T08:05:00.000Z"],
  ["15:30", "2026-11-21T14:30:00.000Z"],
  ["15:31", "2026-11-20T14:31:00.000Z"],
  ["yesterday 14:05", "2026-11-20T13:05:00.000Z"],
  ["today 23:00", "2026-11-21T22:00:00.000Z"],
  ["  yesterday   14:05 ", "2026-11-20T13:05:00.000Z"],
])("%j is %s", (text, moment) => {
  expect(read(text)).toBe(moment);
});

test.each([
  "",
  "soon",
  "2026-11-20",
  "25:00",
  "14:60",
  "2026-02-30 12:00",
  "2026-13-01T00:00:00Z",
  "11/12/2026 10:00",
  "yesterday",
  "14",
  "1405",
  "yesterday 14:05 x",
])("%j is refused as a time", (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: "time-invalid", exitStatus: 2 }));
});

test("a wrong duration before `ago` and a wrong zone are named as such", () => {
  expect(() => read("2 hours ago")).toThrow(expect.objectContaining({ code: "duration-invalid" }));
  expect(() => read("14:05", now, "Europe/Atlantis")).toThrow(expect.objectContaining({ code: "zone-invalid" }));
});

test("a local time that came twice is refused with both readings", () => {
  const [first, second] = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"];
  expect(() => read("2026-10-25 02:30")).toThrow(new RegExp(`twice.*${escape(first)} or ${escape(second)}`));
  expect(read(first)).toBe("2026-10-25T00:30:00.000Z");
  expect(read(second)).toBe("2026-10-25T01:30:00.000Z");
});

test("a local time that never came is refused with both readings", () => {
  const wanted = new RegExp(`never.*${escape("2026-03-29T01:30:00+01:00")} or ${escape("2026-03-29T03:30:00+02:00")}`);
  expect(() => read("2026-03-29 02:30")).toThrow(wanted);
});

test("a time of day between its two comings of one night means the first, after both it is refused, before both it means yesterday's", () => {
  expect(read("02:30", Date.parse("2026-10-25T01:10:00Z"))).toBe("2026-10-25T00:30:00.000Z");
  expect(() => read("02:30", Date.parse("2026-10-25T12:00:00Z"))).toThrow(/twice/);
  expect(read("02:30", Date.parse("2026-10-25T00:10:00Z"))).toBe("2026-10-24T00:30:00.000Z");
});

test("a time of day that today's clocks passed over is refused, and means yesterday's before that", () => {
  expect(() => read("02:30", Date.parse("2026-03-29T10:00:00Z"))).toThrow(/never/);
  expect(read("02:30", Date.parse("2026-03-28T23:30:00Z"))).toBe("2026-03-28T01:30:00.000Z");
});

test("a whole day that a zone passed over is refused", () => {
  expect(() => read("2011-12-30 12:00", now, "Pacific/Apia")).toThrow(/never/);
});

test("what is written for people is read back to the second, unless the clocks make it mean two moments", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.constantFrom(berlin, "UTC", "America/New_York", "Asia/Kolkata"),
      (seconds, zone) => {
        const text = formatTime(seconds * 1000, zone);
        try {
          expect(parseTime(text, now, zone)).toBe(seconds * 1000);
        } catch (error) {
          expect(error).toMatchObject({ code: "time-invalid", message: expect.stringContaining("twice") });
        }
      },
    ),
  );
});

test("a time of day is never in the future, and less than 25 hours and a bit ago", () => {
  const times = fc.record({ hour: fc.nat(23), minute: fc.nat(59), at: fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }) });
  fc.assert(
    fc.property(times, ({ hour, minute, at }) => {
      const text = `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
      try {
        const moment = parseTime(text, at * 1000, berlin);
        expect(moment).toBeLessThanOrEqual(at * 1000);
        expect(moment).toBeGreaterThan(at * 1000 - 26 * 3_600_000);
      } catch (error) {
        expect(error).toMatchObject({ code: "time-invalid" });
      }
    }),
  );
});

function escape(text: string): string {
  return text.replace(/[+.]/g, String.raw`\$&`);
}

describe("what is said of ten thousand points is reckoned by the day, and", () => {
  // Half hours, changes of half an hour, a day left out, offsets that a Ramadan moves.
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
  ];
  const moments = fc.integer({ min: 0, max: Date.UTC(2099, 0) });

  test("is to the second what luxon says of each", () => {
    fc.assert(
      fc.property(moments, fc.constantFrom(...zones), (moment, zone) => {
        const there = DateTime.fromMillis(moment, { zone });
        expect(formatTime(moment, zone)).toBe(there.toFormat("yyyy-MM-dd HH:mm:ss"));
        expect(isoTime(moment)).toBe(there.toUTC().toFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"));
      }),
      { numRuns: 500 },
    );
  });

  test("is right in each minute around each change of the clocks", () => {
    for (const zone of zones) {
      for (let day = Date.UTC(2010, 0); day < Date.UTC(2027, 0); day += 86_400_000) {
        const [begins, ends] = [DateTime.fromMillis(day, { zone }).offset, DateTime.fromMillis(day + 86_400_000, { zone }).offset];
        if (begins === ends) continue;
        for (let moment = day; moment < day + 86_400_000; moment += 900_000)
          for (const near of [moment - 1, moment])
            expect(offsetAt(near, zone), `${zone} ${near}`).toBe(DateTime.fromMillis(near, { zone }).offset);
      }
    }
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { formatSchedule, makeSchedule, missedSince, nextDue } from "../../../src/domain/schedule.ts";
import { isoTime } from "../../../src/domain/time.ts";

const at = (text: string) => Date.parse(text);
const minute = 60_000;

test("an interval and a cron expression with its zone become schedules, and are written back", () => {
  expect(formatSchedule(makeSchedule({ every: "1h30m" }))).toBe("every 1h30m");
  expect(formatSchedule(makeSchedule({ cron: " */15 * * * * ", zone: "Europe/Berlin" }))).toBe("*/15 * * * * (Europe/Berlin)");
});

test.each([
  ["duration-invalid", { every: "10" }],
  ["interval-short", { every: "0s" }],
  ["interval-short", { every: "999ms" }],
  ["cron-invalid", { cron: "", zone: "UTC" }],
  ["cron-invalid", { cron: "* * * *", zone: "UTC" }],
  ["cron-invalid", { cron: "* * * * * * *", zone: "UTC" }],
  ["cron-invalid", { cron: "61 * * * *", zone: "UTC" }],
  ["cron-invalid", { cron: "0 0 31 2 *", zone: "UTC" }],
  ["cron-invalid", { cron: "@daily", zone: "UTC" }],
  ["zone-invalid", { cron: "* * * * *", zone: "Mars/Olympus" }],
  ["zone-invalid", { cron: "* * * * *", zone: "" }],
])("%s refuses %j", (code, words) => {
  expect(() => makeSchedule(words as { every: string })).toThrow(expect.objectContaining({ code, exitStatus: 2 }));
});

test("an interval's moments are exactly an interval apart, however late each is looked at", () => {
  const lateness = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.integer({ min: 60, max: 100_000 }),
      fc.string(),
      fc.nat({ max: 4 * 10 ** 12 }),
      lateness,
      (seconds, seed, start, lates) => {
        const schedule = makeSchedule({ every: `${seconds}s` });
        let due = nextDue(schedule, start, seed);
        expect(due - start).toBeGreaterThanOrEqual(seconds * 100);
        expect(due - start).toBeLessThanOrEqual(seconds * 1100);
        for (const late of lates) {
          const next = nextDue(schedule, due + late, seed);
          expect(next - due).toBe(seconds * 1000);
          due = next;
        }
      },
    ),
  );
});

test("jobs of one interval are spread over a tenth of it, a minute at most, each always at its own place", () => {
  const names = Array.from({ length: 200 }, (_, number) => `job-${number}`);
  for (const [every, range] of [
    ["10m", minute],
    ["100s", 10_000],
  ] as const) {
    const schedule = makeSchedule({ every });
    const start = at("2026-11-21T00:00:00Z") - (at("2026-11-21T00:00:00Z") % (every === "10m" ? 600_000 : 100_000));
    const offsets = names.map((name) => nextDue(schedule, start - 80_000, name) - start);
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...offsets)).toBeLessThan(range);
    expect(new Set(offsets).size).toBeGreaterThan(150);
    expect(names.map((name) => nextDue(schedule, start - 80_000, name) - start)).toEqual(offsets);
  }
});

test("a cron schedule is exactly on time, and by its spread later where one is asked for", () => {
  const schedule = makeSchedule({ cron: "*/15 * * * *", zone: "UTC" });
  expect(isoTime(nextDue(schedule, at("2026-11-21T10:14:59.999Z"), "a"))).toBe("2026-11-21T10:15:00.000Z");
  expect(isoTime(nextDue(schedule, at("2026-11-21T10:15:00Z"), "a"))).toBe("2026-11-21T10:30:00.000Z");
  const moved = nextDue(schedule, at("2026-11-21T10:15:00Z"), "job-7", 5 * minute) - at("2026-11-21T10:15:00Z");
  expect(moved).toBeGreaterThan(0);
  const again = nextDue(schedule, at("2026-11-21T10:15:00Z") + moved, "job-7", 5 * minute);
  expect(again - (at("2026-11-21T10:15:00Z") + moved)).toBe(15 * minute);
});

test("six fields begin with seconds, and Sunday is 0 as well as 7", () => {
  expect(isoTime(nextDue(makeSchedule({ cron: "30 0 12 * * *", zone: "UTC" }), at("2026-11-21T00:00:00Z"), ""))).toBe(
    "2026-11-21T12:00:30.000Z",
  );
  for (const day of ["0", "7", "SUN"]) {
    expect(isoTime(nextDue(makeSchedule({ cron: `0 0 * * ${day}`, zone: "UTC" }), at("2026-11-21T00:00:00Z"), ""))).toBe(
      "2026-11-22T00:00:00.000Z",
    );
  }
});

test.each([
  // Clocks go forward at 02:00 on 2027-03-14, back at 02:00 on 2026-11-01.
  ["0 3 * * *", "2027-03-14T06:00:00Z", "2027-03-14T07:00:00.000Z"],
  ["30 2 * * *", "2027-03-13T08:00:00Z", "2027-03-14T07:30:00.000Z"],
  ["30 1 * * *", "2026-11-01T05:00:00Z", "2026-11-01T05:30:00.000Z"],
  ["30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00.000Z"],
])("in New York %s after %s falls due at %s", (cron, after, due) => {
  expect(isoTime(nextDue(makeSchedule({ cron, zone: "America/New_York" }), at(after), ""))).toBe(due);
});

test("`H` is a number of the job's own, the same at every look", () => {
  const schedule = makeSchedule({ cron: "H * * * *", zone: "UTC" });
  const due = (name: string) => nextDue(schedule, at("2026-11-21T10:00:00Z"), name);
  expect(due("a")).toBe(due("a"));
  expect(new Set(["a", "b", "c", "d", "e", "f"].map(due)).size).toBeGreaterThan(1);
});

test("after downtime every further moment that went by is counted, the one that is served now is not", () => {
  const every = makeSchedule({ every: "10m" });
  expect(missedSince(every, 0, 0)).toBe(0);
  expect(missedSince(every, 0, 10 * minute - 1)).toBe(0);
  expect(missedSince(every, 0, 10 * minute)).toBe(1);
  expect(missedSince(every, 0, 65 * minute)).toBe(6);
  expect(missedSince(every, 10 * minute, 0)).toBe(0);
  const cron = makeSchedule({ cron: "0 * * * *", zone: "UTC" });
  expect(missedSince(cron, at("2026-11-21T10:00:00Z"), at("2026-11-21T10:59:59Z"))).toBe(0);
  expect(missedSince(cron, at("2026-11-21T10:00:00Z"), at("2026-11-21T13:00:00Z"))).toBe(3);
});

test("a month of missed seconds is counted to a thousand and no further", () => {
  const month = 30 * 86_400_000;
  expect(missedSince(makeSchedule({ every: "1s" }), 0, month)).toBe(1_000);
  expect(missedSince(makeSchedule({ cron: "* * * * * *", zone: "UTC" }), 0, month)).toBe(1_000);
});

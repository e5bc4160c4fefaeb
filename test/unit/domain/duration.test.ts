import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, parseDuration } from "../../../src/domain/duration.ts";

test.each([
  ["90s", 90_000],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["2d", 172_800_000],
  ["1w", 604_800_000],
  ["1w2d3h4m5s6ms", 788_645_006],
  ["1.5s", 1_500],
  ["250ms", 250],
  ["0s", 0],
])("%s is %d ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["", "90", "-5m", "5 m", "1h 5m", "30m1h", "1h1h", "1.5h", "5M", "5min", "1e3s", "NaN", "99999999999999w"])(
  "%j is refused",
  (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "duration-invalid", exitStatus: 2 }));
  },
);

test.each([
  [600_000, "10m"],
  [5_400_000, "1h30m"],
  [12_345, "12.345s"],
  [864_000_000, "10d"],
  [7, "7ms"],
  [0, "0s"],
])("%d ms are written %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test("what is written is read back exactly", () => {
  fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (milliseconds) => parseDuration(formatDuration(milliseconds)) === milliseconds));
});

import { expect, test } from "vitest";
import { Pace } from "../../../src/cli/render/pace.ts";
import { progressText } from "../../../src/cli/render/progress.ts";

const MiB = 1024 * 1024;

/** What is shown after these samples: seconds, and MiB of `total` MiB. */
function after(total: number, ...samples: readonly (readonly [number, number])[]): string {
  const pace = new Pace();
  for (const [seconds, mib] of samples) pace.add({ bytes: mib * MiB, total: total * MiB, ms: seconds * 1000 });
  return progressText(["verify lj:", ""], pace);
}

test("at first only the amount is known, then rate and time left", () => {
  expect(after(1000, [0, 10])).toBe("verify lj:  10 MiB of 1000 MiB");
  expect(after(1000, [0, 0], [0.5, 50])).toBe("verify lj:  50 MiB of 1000 MiB");
  expect(after(1000, [0, 0], [2, 200])).toBe("verify lj:  200 MiB of 1000 MiB, 100 MiB/s, 8s left");
});

test("the rate is that of the last stretch, not of the whole", () => {
  const fast = Array.from({ length: 100 }, (_, at) => [at, at * 100] as const);
  const slow = Array.from({ length: 100 }, (_, at) => [100 + at, 10_000 + at * 10] as const);
  expect(after(12_000, ...fast, ...slow)).toMatch(/, 10 MiB\/s, 1m 41s left$/);
});

test("a disk that stands still has no rate and no end, and what is done has none left", () => {
  expect(after(100, [0, 50], [60, 50])).toBe("verify lj:  50 MiB of 100 MiB");
  expect(after(100, [0, 0], [2, 100])).toMatch(/50 MiB\/s, 0s left$/);
});

test("an amount that goes back, or another total, begins anew", () => {
  expect(after(100, [0, 0], [2, 90], [2.1, 1])).toBe("verify lj:  1 MiB of 100 MiB");
  const pace = new Pace();
  pace.add({ bytes: 0, total: 10, ms: 0 });
  pace.add({ bytes: 5, total: 20, ms: 5000 });
  expect(pace.bytesPerSecond).toBeNull();
});

test("long times are told in hours", () => {
  expect(after(100_000, [0, 0], [10, 100])).toMatch(/, 2h 46m left$/);
});

test("however many samples there are, the rate is right and few are kept", () => {
  const pace = new Pace();
  for (let at = 0; at <= 1_000_000; at++) pace.add({ bytes: at * 1000, total: 2_000_000_000, ms: at / 10 });
  expect(pace.bytesPerSecond).toBeCloseTo(10_000_000, -3);
  expect(pace.secondsLeft).toBeCloseTo(100, 0);
});

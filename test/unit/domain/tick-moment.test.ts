import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasStepped, sleepUntilDue } from "../../../src/domain/tick-moment.ts";

const now = 1_800_000_000_000;
const moments = fc.array(fc.integer({ min: now - 5_000, max: now + 5_000 }), { maxLength: 20 });

describe("the service sleeps", () => {
  test("never past a moment that is still to come, and never longer than a second", () => {
    fc.assert(
      fc.property(moments, (dues) => {
        const wakes = now + sleepUntilDue(dues, now);
        return wakes > now && wakes <= now + 1_000 && dues.every((due) => due <= now || due >= wakes);
      }),
    );
  });

  test("not until what is due already: that waits for a place, and a busy loop would not make one", () => {
    expect(sleepUntilDue([now, now - 1, now - 100_000], now)).toBe(1_000);
  });
});

describe("a step of the clock", () => {
  test("is a set clock, or a machine that slept", () => {
    const before = { wall: now, monotonic: 5_000 };
    expect(hasStepped(before, { wall: now - 3_600_000, monotonic: 6_000 })).toBe(true);
    expect(hasStepped(before, { wall: now + 3_600_000, monotonic: 6_000 })).toBe(true);
  });

  test("is not that time goes by, however long a tick took", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: -200, max: 200 }), (passed, drift) => {
        const before = { wall: now, monotonic: 5_000 };
        return !hasStepped(before, { wall: now + passed + drift, monotonic: 5_000 + passed });
      }),
    );
  });
});

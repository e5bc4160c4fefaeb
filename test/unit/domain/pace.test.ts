import fc from "fast-check";
import { expect, test } from "vitest";
import { queueBlock } from "../../../src/domain/pace.ts";

const blocks = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 20 << 20 }), idle: fc.integer({ min: 0, max: 5_000_000 }) }), {
  minLength: 1,
  maxLength: 60,
});
const rates = fc.integer({ min: 1 << 10, max: 1 << 30 });

/** When each block begins; `idle`: microseconds between one block's begin and the question for the next. */
function begins(all: readonly { bytes: number; idle: number }[], rate: number): readonly { at: number; bytes: number }[] {
  let [now, freeAt] = [0, 0];
  return all.map(({ bytes, idle }) => {
    const queued = queueBlock(freeAt, (now += idle), bytes, rate);
    [freeAt, now] = [queued.freeAt, queued.begin];
    return { at: queued.begin, bytes };
  });
}

test("over any window no more begins than the rate times the window, and one block", () => {
  fc.assert(
    fc.property(blocks, rates, (all, rate) => {
      const moved = begins(all, rate);
      for (let first = 0; first < moved.length; first++) {
        let bytes = 0;
        for (const { at, bytes: more } of moved.slice(first)) {
          expect(bytes).toBeLessThanOrEqual((rate * (at - (moved[first]?.at ?? 0))) / 1e6 + 1e-6);
          bytes += more;
        }
      }
    }),
  );
});

test("who asks without a pause gets the whole rate, but for a microsecond a block", () => {
  fc.assert(
    fc.property(blocks, rates, (all, rate) => {
      const moved = begins(
        all.map(({ bytes }) => ({ bytes, idle: 0 })),
        rate,
      );
      const before = moved.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0);
      expect(moved.at(-1)?.at ?? 0).toBeLessThanOrEqual((before * 1e6) / rate + moved.length);
    }),
  );
});

test("time that nobody used is not saved up", () => {
  const late = queueBlock(0, 60_000_000, 1000, 1000);
  expect(late).toEqual({ begin: 60_000_000, freeAt: 61_000_000 });
  expect(queueBlock(late.freeAt, 60_000_001, 1000, 1000).begin).toBe(61_000_000);
});

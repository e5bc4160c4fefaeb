import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isInSlice, parseSlice } from "../../../src/domain/verify-slice.ts";

const ids = fc.array(fc.stringMatching(/^[0-9a-f]{8,32}$/), { minLength: 1, maxLength: 5 });
const slices = fc
  .integer({ min: 1, max: 40 })
  .chain((of) => fc.record({ of: fc.constant(of), share: fc.integer({ min: 0, max: of }) }));

describe("the slice of a day", () => {
  test("takes each point exactly `share` times in any `of` days one after the other", () => {
    fc.assert(
      fc.property(ids, slices, fc.integer({ min: 0, max: 40_000 }), (points, slice, first) => {
        for (const id of points) {
          const days = Array.from({ length: slice.of }, (_, at) => first + at);
          expect(days.filter((day) => isInSlice(id, day, slice))).toHaveLength(slice.share);
        }
      }),
    );
  });

  test("is about the same for every day, whatever the number of points", () => {
    const points = Array.from({ length: 7000 }, (_, at) => `${at * 2654435761}`);
    for (let day = 20_000; day < 20_007; day++) {
      const taken = points.filter((id) => isInSlice(id, day, { share: 1, of: 7 })).length;
      expect(taken).toBeGreaterThan(850);
      expect(taken).toBeLessThan(1150);
    }
  });

  test("is everything for 1/1 and nothing for 0/1", () => {
    expect(isInSlice("a", 5, parseSlice("1/1"))).toBe(true);
    expect(isInSlice("a", 5, parseSlice("0/1"))).toBe(false);
  });
});

test.each(["", "1", "1/0", "8/7", "-1/7", "1/7/2", "a/b", "1 / 7", "0.5/7"])("%j is no slice", (text) => {
  expect(() => parseSlice(text)).toThrow(expect.objectContaining({ code: "slice-invalid" }));
});

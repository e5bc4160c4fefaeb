import { expect, test } from "vitest";
import { sample } from "../../../src/domain/sample.ts";

test("each equal part has exactly one, so that no large stretch is without one", () => {
  for (const [total, most] of [
    [1000, 256],
    [257, 256],
    [1_000_000_007, 256],
  ] as const) {
    const chosen = sample(total, most, "seed");
    expect(chosen).toHaveLength(most);
    for (const [part, number] of chosen.entries()) {
      expect(number).toBeGreaterThanOrEqual(Math.floor((part * total) / most));
      expect(number).toBeLessThan(Math.floor(((part + 1) * total) / most));
    }
  }
});

test("where there are no more than wanted all are taken", () => {
  expect(sample(5, 256, "seed")).toEqual([0, 1, 2, 3, 4]);
  expect(sample(0, 256, "seed")).toEqual([]);
});

test("the seed alone chooses: the same the same, another another, and over many every one is met", () => {
  expect(sample(9999, 16, "a")).toEqual(sample(9999, 16, "a"));
  expect(sample(9999, 16, "a")).not.toEqual(sample(9999, 16, "b"));
  const met = new Set(Array.from({ length: 400 }, (_, seed) => sample(20, 4, `${seed}`)).flat());
  expect(met.size).toBe(20);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Generation, GenerationState } from "../../../src/domain/generation.ts";
import { restorePoints } from "../../../src/domain/restorable.ts";
import { chainOf } from "./generations.ts";

const numbers = (generations: readonly Generation[]) => restorePoints(generations).map((one) => one.number);

test.each([
  ["B1 i2 i3", [1, 2, 3]],
  ["B1 i2x i3 | B4 i5", [1, 4, 5]],
  ["B1x i2 i3", []],
  ["B1 i2f i3", [1, 3]],
  ["B1e i2e i3", [3]],
  ["B1 i3<2", [1]],
  ["i2<1", []],
  ["B1 i2<2", [1]],
  ["B1 i2 i4<2 i3<1", [1, 2, 3, 4]],
])("of %s the points %j are offered", (text, offered) => {
  expect(numbers(chainOf(text))).toEqual(offered);
});

test("a base that names a parent, and an increment that names none, are not offered", () => {
  const [base, increment] = chainOf("B1 i2");
  if (!base || !increment) throw new Error("no chain");
  expect(numbers([{ ...base, parent: 0 }])).toEqual([]);
  expect(numbers([base, { ...increment, parent: null }])).toEqual([1]);
});

test("of any forest, exactly those are offered that are sealed and stand on nothing damaged or missing", () => {
  const states = fc.constantFrom<GenerationState>("sealed", "sealed", "damaged", "failed", "expired");
  const node = fc.record({ state: states, parent: fc.nat(12), isGone: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) });
  fc.assert(
    fc.property(fc.array(node, { maxLength: 12 }), (nodes) => {
      const all = nodes.map(({ state, parent }, at): Generation => {
        const [model] = chainOf("B1");
        if (!model) throw new Error("no model");
        const isBase = parent >= at;
        return {
          ...model,
          number: at + 1,
          id: String(at),
          state,
          kind: isBase ? "base" : "increment",
          parent: isBase ? null : parent + 1,
        };
      });
      const present = all.filter((_, at) => !nodes[at]?.isGone);
      const holds = (one: Generation | undefined): boolean =>
        one !== undefined &&
        one.state !== "damaged" &&
        (one.parent === null || holds(present.find((other) => other.number === one.parent)));
      const expected = present.filter((one) => one.state === "sealed" && holds(one)).map((one) => one.number);
      expect(numbers(present.toReversed())).toEqual(expected);
    }),
  );
});

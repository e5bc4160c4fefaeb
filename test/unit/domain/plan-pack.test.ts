import fc from "fast-check";
import { expect, test } from "vitest";
import { chainBelow } from "../../../src/domain/chain-below.ts";
import type { Generation } from "../../../src/domain/generation.ts";
import { type PackFacts, planPack } from "../../../src/domain/plan-pack.ts";
import { restorePoints } from "../../../src/domain/restorable.ts";
import { aGeneration } from "../../contract/catalogue-values.ts";

const day = 86_400_000;
const now = 100 * day;

/** `B1 i2 | B3 i4 i5`, one a day, the newest a minute old. */
const two: readonly Generation[] = [
  [1, null],
  [2, 1],
  [3, null],
  [4, 3],
  [5, 4],
].map(([number, parent]) =>
  aGeneration("lj", number ?? 0, {
    kind: parent === null ? "base" : "increment",
    parent: parent ?? null,
    takenAt: now - 60_000 - (5 - (number ?? 0)) * day,
  }),
);

const facts: PackFacts = {
  generations: two,
  state: "running",
  bits: { type: "unknown", why: "" },
  restoredFrom: null,
  after: day,
  wanted: null,
};

const packed = (change: Partial<PackFacts>): readonly number[] =>
  planPack({ ...facts, ...change }, now).pack.map(({ number }) => number);
const changed = (number: number, change: Partial<Generation>): readonly Generation[] =>
  two.map((one) => (one.number === number ? { ...one, ...change } : one));

test("of a running job what is older than the setting is packed, but for the newest chain; each choice has its reason", () => {
  const plan = planPack(facts, now);
  expect(plan.pack).toEqual([
    { number: 1, why: "older than 1d" },
    { number: 2, why: "older than 1d" },
  ]);
  expect(plan.left.map(({ number, why }) => [number, why])).toEqual(
    [3, 4, 5].map((number) => [number, "in the newest chain, and the job runs or is to come back"]),
  );
});

test("a crashed job is to come back: its newest chain stays; of one that has ended all is packed that is old enough", () => {
  expect(packed({ state: "crashed" })).toEqual([1, 2]);
  for (const state of ["finished", "failed", "stopped", "retired"] as const) expect(packed({ state })).toEqual([1, 2, 3, 4]);
});

test("the chain that a run was restored from stays, and so does the one its next generation stands on", () => {
  expect(packed({ restoredFrom: 2 })).toEqual([]);
  expect(packed({ restoredFrom: 1 })).toEqual([2]);
  const bits = {
    type: "known",
    generation: 2,
    id: "",
    root: { pid: 1, startTicks: 1, bootId: "" },
    run: 1,
    criu: "",
    tracking: "compare",
  } as const;
  expect(packed({ bits })).toEqual([]);
});

test("what is damaged, consumed, withdrawn or packed already is not packed; one that failed is", () => {
  for (const state of ["damaged", "consumed", "expired"] as const)
    expect(packed({ generations: changed(1, { state }) })).toEqual([2]);
  expect(packed({ generations: changed(1, { unpackedBytes: 9 }) })).toEqual([2]);
  expect(packed({ generations: changed(1, { state: "failed" }) })).toEqual([1, 2]);
});

test("what a person asks for is packed at any age, alone, and never if it is hot", () => {
  expect(packed({ wanted: 2, after: 50 * day })).toEqual([2]);
  expect(packed({ wanted: 5, state: "stopped" })).toEqual([5]);
  expect(planPack({ ...facts, wanted: 4 }, now)).toEqual({
    pack: [],
    left: [{ number: 4, why: "in the newest chain, and the job runs or is to come back", isHot: true }],
  });
});

test("whatever there is, nothing of the newest restorable chain of a running job is ever packed, and every generation is told of once", () => {
  const generation = fc.record({
    state: fc.constantFrom("sealed", "damaged", "failed", "expired", "consumed"),
    base: fc.boolean(),
    age: fc.nat(30),
    from: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(generation, { minLength: 1, maxLength: 12 }), fc.constantFrom("running", "crashed"), (made, state) => {
      const generations = made.map(({ state: its, base, age, from }, i) => {
        const parent = base || i === 0 ? null : Math.max(1, i - from);
        const kind = parent === null ? "base" : "increment";
        return aGeneration("lj", i + 1, { state: its, kind, parent, takenAt: now - age * day });
      });
      const plan = planPack({ ...facts, generations, state }, now);
      const newest = restorePoints(generations).at(-1)?.number;
      const hot = newest === undefined ? [] : chainBelow(newest, generations);
      expect(plan.pack.filter(({ number }) => hot.includes(number))).toEqual([]);
      const told = [...plan.pack, ...plan.left].map(({ number }) => number).toSorted((a, b) => a - b);
      expect(told).toEqual(generations.map(({ number }) => number));
    }),
  );
});

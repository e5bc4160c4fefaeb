import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Generation } from "../../../src/domain/generation.ts";
import { planExpire, planFolds } from "../../../src/domain/plan-expire.ts";
import { parsePolicy } from "../../../src/domain/policy.ts";
import { restorePoints, soundNumbers } from "../../../src/domain/restorable.ts";
import { chainOf } from "./generations.ts";

/** `4>2` is a fold of 4 onto 2, `4>-` makes 4 a base; then what is swept, in order; `!` what is spared. */
function planned(text: string, ...withdrawn: readonly number[]): string {
  const { folds, sweeps, spared } = planFolds(chainOf(text), new Set(withdrawn));
  return [
    ...folds.map(({ number, parent }) => `${number}>${parent ?? "-"}`),
    ...sweeps,
    ...spared.map(({ number }) => `!${number}`),
  ].join(" ");
}

describe("the pages of what expires", () => {
  test.each([
    ["in the middle of a chain go to the one standing on it", "B1 i2 i3", [2], "3>1 2"],
    ["in a base make the next one a base", "B1 i2 i3", [1], "2>- 1"],
    ["at the end of a chain go to nobody", "B1 i2 i3", [3], "3"],
    ["in neighbours are moved once, to the one above them all", "B1 i2 i3 i4 i5", [2, 3, 4], "5>1 4 3 2"],
    ["in several places of a chain are moved newest first", "B1 i2 i3 i4 i5", [1, 3], "4>2 2>- 3 1"],
    ["in a whole chain go nowhere", "B1 i2 | B3", [1, 2], "2 1"],
    ["in one that several stand on go to each of these", "B1 i2 i3 i4<2", [2], "4>1 3>1 2"],
    ["stay where they are while nothing is withdrawn", "B1 i2 i3", [], ""],
    ["are gone already if their directory is", "B1 i2", [9], ""],
  ])("%s", (_, text, withdrawn, expected) => {
    expect(planned(text, ...withdrawn)).toBe(expected);
  });

  test("are left alone below a damaged generation, whose repair must find them", () => {
    expect(planned("B1 i2 i3x i4", 1, 2)).toBe("!2 !1");
    expect(planned("B1 i2 i3x | B4 i5", 1, 4)).toBe("5>- 4 !1");
    expect(planned("B1x i2 i3 i4", 2, 4)).toBe("4 !2");
  });

  test("consumed ones stay while anything stands on them, and go with the last of it", () => {
    expect(planned("B1c i2c i3")).toBe("");
    expect(planned("B1c i2c i3 | B4", 3)).toBe("3 2 1");
    expect(planned("B1c i2c | B3")).toBe("2 1");
    expect(planned("B1c i2c i3x", 2)).toBe("!2");
  });

  test("a generation withdrawn by a pass that was cut off is folded and swept by the next one", () => {
    const generations = chainOf("B1 i2e i3 i4");
    const policy = parsePolicy("all");
    const plan = planExpire({ generations, points: restorePoints(generations), policy, zone: "UTC", restoredFrom: new Set() });
    expect(plan).toMatchObject({ expired: [], folds: [{ number: 3, parent: 1 }], sweeps: [2] });
    expect(plan.kept.map(({ number }) => number)).toEqual([1, 3, 4]);
  });
});

describe("a point that did not come back", () => {
  const gone = (text: string, keep: string, proven: number | null = null, held: number | null = null) => {
    const generations = chainOf(text).map((one) => ({
      ...one,
      provenAt: one.number === proven ? 1 : null,
      held: one.number === held,
    }));
    const failed = new Set(generations.filter((one) => one.state === "failed").map((one) => one.number));
    const facts = { generations, points: restorePoints(generations), policy: parsePolicy(keep), zone: "UTC" };
    const plan = planExpire({ ...facts, restoredFrom: failed });
    expect(plan.kept.map(({ number }) => number).filter((number) => failed.has(number))).toEqual([]);
    return plan.expired.filter(({ number }) => failed.has(number)).map(({ number }) => number);
  };

  test("goes when a newer one is proven, whatever the policy", () => {
    expect(gone("B1 i2f i3", "all", 3)).toEqual([2]);
    expect(gone("B1 i2f i3", "all", 1)).toEqual([]);
    expect(gone("B1 i2 i3f", "all", 2)).toEqual([]);
  });

  test("goes when no rule would want it, though a run came from it", () => {
    expect(gone("B1 i2f i3 i4 i5", "last=3")).toEqual([2]);
    expect(gone("B1 i2f i3 i4", "last=3")).toEqual([]);
  });

  test("stays when it is held, and while there is no restore point at all", () => {
    expect(gone("B1 i2f i3 i4 i5", "last=1", 5, 2)).toEqual([]);
    expect(gone("B1f i2f", "last=1")).toEqual([]);
  });

  test("takes no place from a restore point", () => {
    const generations = chainOf("B1 i2 i3f i4f");
    const facts = { generations, points: restorePoints(generations), policy: parsePolicy("last=2"), zone: "UTC" };
    expect(planExpire({ ...facts, restoredFrom: new Set() }).kept.map(({ number }) => number)).toEqual([1, 2]);
  });
});

/** Trees of up to twelve generations, some of them damaged, failed or expired, and some of their numbers. */
const cases = fc
  .array(fc.record({ onto: fc.nat(3), state: fc.constantFrom("", "", "", "", "e", "f", "x"), goes: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((steps) => {
    const words = steps.map(({ onto, state }, at) =>
      onto === 0 || at === 0 ? `B${at + 1}${state}` : `i${at + 1}${state}<${Math.max(1, at + 1 - onto)}`,
    );
    const withdrawn = steps.flatMap(({ goes, state }, at) => ((goes && state !== "x") || state === "e" ? [at + 1] : []));
    return { text: words.join(" "), generations: chainOf(words.join(" ")), withdrawn: new Set(withdrawn) };
  });

describe("whatever is withdrawn,", () => {
  test("after the folds and sweeps every other generation that could be read still can, and planning again gives nothing to do", () => {
    fc.assert(
      fc.property(cases, ({ generations, withdrawn }) => {
        const { folds, sweeps, spared } = planFolds(generations, withdrawn);
        const before = soundNumbers(generations);
        const after = perform(generations, folds, sweeps);
        const stays = [...before].filter((number) => !sweeps.includes(number));
        expect([...soundNumbers(after)]).toEqual(stays);
        const notSpared = [...withdrawn].filter((number) => !spared.some((one) => one.number === number));
        expect(new Set(sweeps)).toEqual(new Set(notSpared));
        expect(planFolds(after, withdrawn)).toMatchObject({ folds: [], sweeps: [] });
      }),
      { numRuns: 500 },
    );
  });

  test("after each single step everything that is neither withdrawn nor damaged can be read", () => {
    fc.assert(
      fc.property(cases, ({ generations, withdrawn }) => {
        const { folds, sweeps } = planFolds(generations, withdrawn);
        const sound = [...soundNumbers(generations)].filter((number) => !withdrawn.has(number));
        for (let done = 0; done <= folds.length + sweeps.length; done++) {
          const now = perform(generations, folds.slice(0, done), sweeps.slice(0, Math.max(0, done - folds.length)));
          expect([...soundNumbers(now)]).toEqual(expect.arrayContaining(sound));
        }
      }),
      { numRuns: 200 },
    );
  });

  test("nothing below a damaged generation is touched", () => {
    fc.assert(
      fc.property(cases, ({ generations, withdrawn }) => {
        const { folds, sweeps } = planFolds(generations, withdrawn);
        const byNumber = new Map(generations.map((one) => [one.number, one]));
        for (const one of generations.filter(({ state }) => state === "damaged")) {
          for (let at = one.parent; at !== null; at = byNumber.get(at)?.parent ?? null) {
            expect(sweeps).not.toContain(at);
            expect(folds.map(({ number }) => number)).not.toContain(one.number);
          }
        }
      }),
    );
  });
});

function perform(
  generations: readonly Generation[],
  folds: ReturnType<typeof planFolds>["folds"],
  sweeps: readonly number[],
): readonly Generation[] {
  return generations
    .filter(({ number }) => !sweeps.includes(number))
    .map((one) => {
      const fold = folds.find(({ number }) => number === one.number);
      return fold === undefined ? one : { ...one, parent: fold.parent, kind: fold.parent === null ? "base" : "increment" };
    });
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FoundImages } from "../../../src/domain/found-images.ts";
import { planImport } from "../../../src/domain/plan-import.ts";

const facts = { rootVpid: 1, tracked: true, freezeMicros: 0, pagesScanned: 0, pagesStored: 1, pagesInParent: 0 };

type Told = { readonly on?: string; readonly at?: number; readonly what?: FoundImages["what"]; readonly outside?: true };

function found(name: string, { on, at = 0, what = "dump", outside }: Told = {}): FoundImages {
  const about = {
    folder: `/d/${name}`,
    name,
    isListed: outside === undefined,
    parent: on === undefined ? null : `/d/${on}`,
    cautions: [],
  };
  if (what === "dump") return { ...about, what, facts: { ...facts, takenAt: at } };
  return what === "flawed" ? { ...about, what, why: "punched" } : { ...about, what };
}

/** `2 on 1`: point 2 stands on point 1. */
function drawn(images: readonly FoundImages[]): readonly string[] {
  return planImport(images).points.map(({ number, name, parent }) => `${number}=${name}${parent === null ? "" : ` on ${parent}`}`);
}

describe("numbers", () => {
  test("are the directories' names where all of these are numbers that rise along each chain", () => {
    expect(drawn([found("10", { on: "2" }), found("2"), found("7", { at: 99 })])).toEqual(["2=2", "7=7", "10=10 on 2"]);
  });

  test("are given by time where names are no numbers, or fall along a chain, and a parent always comes first", () => {
    expect(drawn([found("b", { at: 2 }), found("a", { at: 3 })])).toEqual(["1=b", "2=a"]);
    expect(drawn([found("1", { on: "2" }), found("2", { at: 5 })])).toEqual(["1=2", "2=1 on 1"]);
    expect(drawn([found("1"), found("20261121")])).toEqual(["1=1", "2=20261121"]);
    expect(drawn([found("."), found("/else/3", { outside: true })])).toEqual(["1=."]);
  });
});

describe("what cannot be a point", () => {
  test.each(["pre-dump", "flawed"] as const)(
    "(%s) is passed over, and what stands on it stands on the next point below",
    (what) => {
      const images = [found("1"), found("2", { on: "1", what }), found("3", { on: "2" })];
      const plan = planImport(images);
      expect(drawn(images)).toEqual(["1=1", "3=3 on 1"]);
      expect(plan.points[1]).toMatchObject({ chain: ["/d/3", "/d/2", "/d/1"], parentPlace: 2 });
      expect(plan.preDumps).toEqual(what === "pre-dump" ? ["2"] : []);
      expect(plan.refused).toEqual(what === "flawed" ? [{ name: "2", why: "punched" }] : []);
    },
  );

  test("makes a base of what stands on nothing else", () => {
    const plan = planImport([found("1", { what: "pre-dump" }), found("2", { on: "1", what: "pre-dump" }), found("3", { on: "2" })]);
    expect(plan.points).toMatchObject([{ number: 3, parent: null, chain: ["/d/3", "/d/2", "/d/1"], parentPlace: 3 }]);
  });

  test("and lies elsewhere is neither a point nor told as refused", () => {
    const plan = planImport([found("2", { on: "1" }), found("1", { outside: true })]);
    expect(plan).toMatchObject({ points: [{ parent: null, parentPlace: 2 }], refused: [] });
    expect(planImport([found("1", { outside: true, what: "flawed" })])).toEqual({ points: [], preDumps: [], refused: [] });
  });
});

test("whatever stands on whatever, every dump that is listed becomes one point, each above what it stands on", () => {
  const some = fc.array(
    fc.record({
      on: fc.nat(9),
      at: fc.nat(3),
      what: fc.constantFrom("dump", "dump", "pre-dump", "flawed"),
      numbered: fc.boolean(),
    }),
    { minLength: 1, maxLength: 9 },
  );
  fc.assert(
    fc.property(some, (told) => {
      // Each may stand on an earlier one, or on nothing.
      const name = (at: number): string => (told[at]?.numbered ? String(at + 1) : `d${at}`);
      const images = told.map(({ on, at, what }, index) =>
        found(name(index), { at, what: what, ...(on < index ? { on: name(on) } : {}) }),
      );
      const { points } = planImport(images);
      expect(points.map((point) => point.name).toSorted()).toEqual(
        images
          .filter((one) => one.what === "dump")
          .map((one) => one.name)
          .toSorted(),
      );
      expect(new Set(points.map((point) => point.number)).size).toBe(points.length);
      for (const point of points) expect(point.number).toBeGreaterThan(point.parent ?? 0);
    }),
  );
});

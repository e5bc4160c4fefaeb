import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { takesAtOnce } from "../../../src/domain/takes-at-once.ts";

const gib = 2 ** 30;
const capacity = fc.record({
  cores: fc.integer({ min: 1, max: 1024 }),
  memory: fc.integer({ min: 64 * 2 ** 20, max: 4096 * gib }),
});

describe("takes-at-once", () => {
  test("is what the settings say, whatever the machine", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), capacity, (setting, machine) => takesAtOnce(setting, machine) === setting),
    );
  });

  test("is by itself a whole number from one to eight", () => {
    fc.assert(
      fc.property(capacity, (machine) => {
        const places = takesAtOnce("auto", machine);
        return Number.isInteger(places) && places >= 1 && places <= 8;
      }),
    );
  });

  test("never asks for more processors than there are, nor for threads that take more than an eighth of the memory", () => {
    fc.assert(
      fc.property(capacity, (machine) => {
        const places = takesAtOnce("auto", machine);
        return places === 1 || (places <= machine.cores && places * 128 * 2 ** 20 <= machine.memory / 8);
      }),
    );
  });

  test("does not fall when the machine grows", () => {
    fc.assert(
      fc.property(capacity, fc.nat(64), fc.nat(64), (machine, cores, more) => {
        const larger = { cores: machine.cores + cores, memory: machine.memory + more * gib };
        return takesAtOnce("auto", larger) >= takesAtOnce("auto", machine);
      }),
    );
  });

  test.each([
    [{ cores: 1, memory: 512 * 2 ** 20 }, 1],
    [{ cores: 2, memory: 24 * gib }, 2],
    [{ cores: 16, memory: 4 * gib }, 4],
    [{ cores: 64, memory: 256 * gib }, 8],
  ])("of %j is %i", (machine, places) => {
    expect(takesAtOnce("auto", machine)).toBe(places);
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import type { GenerationState } from "../../../src/domain/generation.ts";
import { standing } from "../../../src/engine/standing.ts";
import { aGeneration, aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine } from "../../fakes/machine.ts";

const states = fc.constantFrom<GenerationState>("sealed", "damaged", "failed", "expired", "consumed");
const lj = named("lj");

test("what stands is what all rows and all directories tell together, though rows of what expired and went are never read", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ state: states, isThere: fc.boolean(), isListed: fc.boolean() }), { maxLength: 30 }),
      async (drawn) => {
        const { ports } = fakeMachine();
        await ports.catalogue.putJob(aJob("lj"));
        for (const [at, { state, isListed }] of drawn.entries())
          if (isListed) await ports.catalogue.putGeneration(aGeneration("lj", at + 1, { state }));
        ports.vault.sealed = async () => drawn.flatMap(({ isThere }, at) => (isThere ? [at + 1] : []));
        const [rows, numbers] = [await ports.catalogue.generations(lj), new Set(await ports.vault.sealed(lj))];
        ports.catalogue.generations = () => Promise.reject(new Error("all rows were read"));
        expect(await standing(ports, lj)).toEqual({
          present: rows.filter(({ number }) => numbers.has(number)),
          missing: rows.filter(({ number, state }) => !numbers.has(number) && state !== "expired"),
        });
      },
    ),
  );
});

import { expect, test } from "vitest";
import type { Connection } from "../../../src/catalogue/connection.ts";
import { remembering } from "../../../src/catalogue/remember.ts";
import type { Catalogue } from "../../../src/engine/ports.ts";
import { aGeneration, aJob, aRun, named } from "../../contract/catalogue-values.ts";
import { fakeCatalogue } from "../../fakes/catalogue.ts";

const lj = named("lj");

/** A catalogue that counts how often it is asked, with a connection over which another process can be made to write. */
function counted() {
  const catalogue = fakeCatalogue();
  const asked: string[] = [];
  const counting = <Words extends readonly unknown[], T>(name: string, ask: (...words: Words) => Promise<T>) => {
    return async (...words: Words): Promise<T> => {
      asked.push(name);
      return ask(...words);
    };
  };
  const inner: Catalogue = {
    ...catalogue,
    jobs: counting("jobs", catalogue.jobs),
    dues: counting("dues", catalogue.dues),
    newestRun: counting("newestRun", catalogue.newestRun),
    newestByRows: counting("newestByRows", catalogue.newestByRows),
  };
  let version = 1;
  const connection = { first: () => ({ data_version: version }) } as unknown as Connection;
  return { catalogue: remembering(inner, connection), other: catalogue, asked, committed: () => (version += 1) };
}

async function look(catalogue: Catalogue): Promise<void> {
  await catalogue.jobs();
  await catalogue.dues();
  await catalogue.newestRun(lj);
  await catalogue.newestByRows(lj);
}

test("what nobody has written to is read once, however often it is asked", async () => {
  const { catalogue, asked } = counted();
  await catalogue.putJob(aJob("lj"));
  for (let tick = 0; tick < 100; tick++) await look(catalogue);
  expect(asked).toEqual(["jobs", "dues", "newestRun", "newestByRows"]);
});

test("what another process has committed is seen by the next question, and changes the text of the changes", async () => {
  const { catalogue, other, committed } = counted();
  await catalogue.putJob(aJob("lj"));
  await look(catalogue);
  const before = await catalogue.changes();
  await other.putRun(lj, aRun(1));
  await other.putGeneration(aGeneration("lj", 1));
  committed();
  expect(await catalogue.newestRun(lj)).toEqual(aRun(1));
  expect((await catalogue.newestByRows(lj))?.number).toBe(1);
  expect(await catalogue.changes()).not.toBe(before);
});

test("what is written through it is seen by the next question, though SQLite tells a connection nothing of its own writes", async () => {
  const { catalogue } = counted();
  await catalogue.putJob(aJob("lj"));
  await look(catalogue);
  const before = await catalogue.changes();
  await catalogue.putRun(lj, aRun(1));
  expect(await catalogue.newestRun(lj)).toEqual(aRun(1));
  expect(await catalogue.changes()).not.toBe(before);
  await catalogue.putGeneration(aGeneration("lj", 1));
  expect((await catalogue.newestByRows(lj))?.number).toBe(1);
  await catalogue.markGeneration(lj, 1, { state: "damaged" });
  expect(await catalogue.newestByRows(lj)).toBeNull();
  await catalogue.putDue({ job: lj, due: 7, lastAttemptAt: null });
  expect((await catalogue.dues())[0]?.due).toBe(7);
  await catalogue.removeJob(lj);
  expect(await catalogue.jobs()).toEqual([]);
});

test("an answer that was under way while something was written is not kept", async () => {
  const { catalogue } = counted();
  await catalogue.putJob(aJob("lj"));
  const asked = catalogue.newestRun(lj);
  await catalogue.putRun(lj, aRun(1));
  await asked;
  expect(await catalogue.newestRun(lj)).toEqual(aRun(1));
});

test("an answer that failed is asked again", async () => {
  const { catalogue } = counted();
  const inner = { ...catalogue };
  let fails = true;
  const flaky = remembering(
    {
      ...inner,
      jobs: async () => {
        if (fails) throw new Error("busy");
        return [];
      },
    },
    { first: () => ({ data_version: 1 }) } as unknown as Connection,
  );
  await expect(flaky.jobs()).rejects.toThrow("busy");
  fails = false;
  expect(await flaky.jobs()).toEqual([]);
});

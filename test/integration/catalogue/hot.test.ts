import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import type { Catalogue } from "../../../src/engine/ports.ts";
import { aGeneration, aJob, aRun, named } from "../../contract/catalogue-values.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-hot-"));
const lj = named("lj");
const anAttempt = { job: lj, at: 1, outcome: "took", point: 1, code: null, message: "", count: 1 } as const;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Every statement that the catalogue compiles while `act` runs. */
async function statementsOf(act: () => Promise<unknown>): Promise<readonly string[]> {
  const own = Object.getOwnPropertyDescriptor(Database.prototype, "prepare");
  if (own === undefined) throw new Error("there is nothing to listen at");
  const prepare = own.value as Database.Database["prepare"];
  const heard: string[] = [];
  Database.prototype.prepare = function (this: Database.Database, sql: string) {
    heard.push(sql);
    return prepare.call(this, sql);
  } as typeof prepare;
  try {
    await act();
  } finally {
    Object.defineProperty(Database.prototype, "prepare", own);
  }
  return heard;
}

describe("whatever is asked of one job", () => {
  const file = path.join(folder, "plans.sqlite");
  let catalogue: Catalogue;
  beforeAll(async () => {
    ({ catalogue } = await openCatalogue({ file }));
    await catalogue.putJob(aJob("lj"));
  });
  afterAll(() => catalogue.close());

  const plansOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const statements = await statementsOf(act);
    expect(statements).not.toEqual([]);
    const database = new Database(file, { readonly: true });
    try {
      return statements.flatMap((sql) => {
        const names = Array.from({ length: sql.split("?").length - 1 }, () => 1);
        const steps = /^(select|update|delete)/.test(sql)
          ? database.prepare<number[], { detail: string }>(`explain query plan ${sql}`).all(...names)
          : [];
        return steps.map(({ detail }) => detail);
      });
    } finally {
      database.close();
    }
  };

  test.each<readonly [string, () => Promise<unknown>]>([
    ["generations", () => catalogue.generations(lj)],
    ["unexpired", () => catalogue.unexpired(lj)],
    ["generation", () => catalogue.generation(lj, 1)],
    ["newestByRows", () => catalogue.newestByRows(lj)],
    ["runs", () => catalogue.runs(lj)],
    ["newestRun", () => catalogue.newestRun(lj)],
    ["attempts", () => catalogue.attempts(lj, 10)],
    ["attemptsInAll", () => catalogue.attemptsInAll(lj)],
    ["recoveries", () => catalogue.recoveries(lj, 10)],
    ["markGeneration", () => catalogue.markGeneration(lj, 1, { held: true })],
    ["putAttempt", () => catalogue.putAttempt(anAttempt)],
  ])("no table is read whole, and nothing is sorted, by %s", async (_, ask) => {
    const plans = await plansOf(ask);
    expect(plans.filter((plan) => /^(SCAN (?!.*SUBQUERY)|USE TEMP B-TREE)/.test(plan))).toEqual([]);
  });

  test("what has expired is not read by those who ask for the others, nor attempts to count the missed ones", async () => {
    // A statement is compiled once for each file: this one is another.
    const other = path.join(folder, "again.sqlite");
    const opened = await openCatalogue({ file: other });
    const plans = await plansOf(async () => {
      await opened.catalogue.unexpired(lj);
      await opened.catalogue.attemptsInAll(lj);
    });
    await opened.catalogue.close();
    expect(plans).toEqual([
      "SEARCH generations USING INDEX generations_unexpired (job=?)",
      "SEARCH attempts USING INDEX attempts_tried (job=?)",
      "SEARCH attempts USING COVERING INDEX attempts_missed (job=?)",
    ]);
  });
});

test("an answer that a process has kept is never older than what another has written", async () => {
  const file = path.join(folder, "two.sqlite");
  const two = [(await openCatalogue({ file })).catalogue, (await openCatalogue({ file })).catalogue] as const;
  await two[0].putJob(aJob("lj"));
  const writes: readonly ((catalogue: Catalogue, number: number) => Promise<void>)[] = [
    (catalogue, number) => catalogue.putRun(lj, aRun(number)),
    (catalogue, number) => catalogue.putGeneration(aGeneration("lj", number)),
    (catalogue, number) => catalogue.markGeneration(lj, number, { state: "damaged" }),
    (catalogue, number) => catalogue.removeGeneration(lj, number),
    (catalogue, number) => catalogue.putDue({ job: lj, due: number, lastAttemptAt: null }),
    (catalogue, number) => catalogue.putJob(aJob("lj", { createdAt: number })),
  ];
  const steps = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.nat(writes.length - 1), fc.integer({ min: 1, max: 9 })), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      for (const [who, which, number] of drawn) {
        await writes[which]?.(two[who], number);
        const fresh = (await openCatalogue({ file })).catalogue;
        for (const one of two) {
          expect(await one.jobs()).toEqual(await fresh.jobs());
          expect(await one.dues()).toEqual(await fresh.dues());
          expect(await one.newestRun(lj)).toEqual((await fresh.runs(lj)).at(-1) ?? null);
          expect(await one.newestByRows(lj)).toEqual(await fresh.newestByRows(lj));
        }
        await fresh.close();
      }
    }),
    { numRuns: 15 },
  );
  for (const one of two) await one.close();
}, 120_000);

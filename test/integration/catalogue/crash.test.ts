import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { aGeneration, aJob, aProcess, named } from "../../contract/catalogue-values.ts";
import { startChild } from "./children.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-crash-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Makes a catalogue with one job, lets a child into a transaction of this kind and kills it there. */
async function crashInside(transaction: string): Promise<string> {
  const file = path.join(folder, `${transaction}.sqlite`);
  const { catalogue } = await openCatalogue({ file });
  await catalogue.replaceAll({ jobs: [aJob("lj")], runs: [], generations: [aGeneration("lj", 1)] });
  await catalogue.acquireLease({ name: "job:lj", token: "old", owner: aProcess(1), verb: "take", expiresAt: 100 }, 0, () => true);
  await catalogue.close();
  const child = startChild("hang", file, transaction);
  child.go();
  await child.said("inside");
  child.process.kill("SIGKILL");
  await child.end();
  return file;
}

test("a process killed while it replaces everything leaves the old content whole", async () => {
  const { catalogue, fresh } = await openCatalogue({ file: await crashInside("replace") });
  expect(fresh).toBe(false);
  expect(await catalogue.jobs()).toStrictEqual([aJob("lj")]);
  expect(await catalogue.generations(named("lj"))).toStrictEqual([aGeneration("lj", 1)]);
  await catalogue.putJob(aJob("next"));
  await catalogue.close();
}, 60_000);

test("a process killed while it takes a lease over leaves it with the one who had it", async () => {
  const { catalogue } = await openCatalogue({ file: await crashInside("lease") });
  const mine = { name: "job:lj", token: "mine", owner: aProcess(2), verb: "take", expiresAt: 100 };
  expect(await catalogue.acquireLease(mine, 0, () => true)).toMatchObject({ granted: false, holder: { token: "old" } });
  await catalogue.close();
}, 60_000);

test("a process killed at any moment leaves one round of its work or the next, never a mixture", async () => {
  const { catalogue } = await openCatalogue({ file: await crashInside("loop") });
  const [job] = await catalogue.jobs();
  const generations = await catalogue.generations(named("lj"));
  expect(generations).toHaveLength(40);
  expect(new Set(generations.map((generation) => generation.bytes))).toStrictEqual(new Set([job?.maxChain]));
  expect(job?.maxChain).toBeGreaterThanOrEqual(3);
  await catalogue.close();
}, 60_000);

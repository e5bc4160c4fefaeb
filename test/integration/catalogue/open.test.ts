import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { together } from "./children.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-open-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const modeOf = (file: string): number => statSync(file).mode & 0o777;

test("a new catalogue and everything beside it can be read by its owner alone", async () => {
  const file = path.join(folder, "new", "catalogue.sqlite");
  const { catalogue } = await openCatalogue({ file });
  await catalogue.putJob(aJob("lj"));
  expect(modeOf(path.dirname(file))).toBe(0o700);
  const names = readdirSync(path.dirname(file)).toSorted();
  expect(names).toStrictEqual(["catalogue.sqlite", "catalogue.sqlite-shm", "catalogue.sqlite-wal"]);
  for (const name of names) expect(modeOf(path.join(path.dirname(file), name))).toBe(0o600);
  await catalogue.close();
  chmodSync(file, 0o644);
  await (await openCatalogue({ file })).catalogue.close();
  expect(modeOf(file)).toBe(0o600);
});

test("a catalogue is fresh until it has been filled", async () => {
  const file = path.join(folder, "fresh.sqlite");
  for (const at of [1, 2]) {
    const { catalogue, fresh } = await openCatalogue({ file });
    expect(fresh, `opened ${at} times`).toBe(true);
    if (at === 2) await catalogue.replaceAll({ jobs: [], runs: [], generations: [] });
    await catalogue.close();
  }
  const { catalogue, fresh } = await openCatalogue({ file });
  expect(fresh).toBe(false);
  await catalogue.close();
});

test("an empty file, as a crash may leave it, becomes a catalogue", async () => {
  const file = path.join(folder, "empty.sqlite");
  writeFileSync(file, "");
  const { catalogue, fresh } = await openCatalogue({ file });
  expect(fresh).toBe(true);
  await catalogue.close();
});

test("what one connection has put, another reads", async () => {
  const file = path.join(folder, "two.sqlite");
  const [one, two] = [await openCatalogue({ file }), await openCatalogue({ file })];
  await one.catalogue.putJob(aJob("lj"));
  expect(await two.catalogue.job(named("lj"))).toStrictEqual(aJob("lj"));
  await one.catalogue.close();
  await two.catalogue.putJob(aJob("melt"));
  await two.catalogue.close();
});

test("processes that open a new catalogue at the same time all succeed", async () => {
  for (const round of [1, 2]) {
    const file = path.join(folder, `raced-${round}`, "catalogue.sqlite");
    await together(3, "enter", (at) => [file, `job-${at}`]);
    const { catalogue } = await openCatalogue({ file });
    expect((await catalogue.jobs()).map((job) => job.name)).toStrictEqual(["job-0", "job-1", "job-2"]);
    await catalogue.close();
    expect(readdirSync(path.dirname(file))).toStrictEqual(["catalogue.sqlite"]);
  }
}, 60_000);

test("a lock that stays is told, and the catalogue is as good as before once it is gone", async () => {
  const file = path.join(folder, "locked.sqlite");
  const { catalogue } = await openCatalogue({ file, busyMilliseconds: 20 });
  const other = new Database(file);
  other.exec("begin immediate");
  const busy = { code: "catalogue-busy", retry: "later" };
  await expect(catalogue.putJob(aJob("lj"))).rejects.toMatchObject(busy);
  await expect(catalogue.replaceAll({ jobs: [], runs: [], generations: [] })).rejects.toMatchObject(busy);
  expect(await catalogue.jobs()).toStrictEqual([]);
  other.exec("rollback");
  await catalogue.putJob(aJob("lj"));
  other.exec("begin exclusive");
  await expect(
    openCatalogue({ file: path.join(folder, "locked.sqlite"), busyMilliseconds: 20 }).then(async (opened) =>
      opened.catalogue.putJob(aJob("x")),
    ),
  ).rejects.toMatchObject(busy);
  other.exec("rollback");
  other.close();
  await catalogue.close();
});

test("a place that cannot be written is told", async () => {
  const file = path.join(folder, "plain-file");
  writeFileSync(file, "");
  await expect(openCatalogue({ file: path.join(file, "catalogue.sqlite") })).rejects.toMatchObject({ code: "vault-unwritable" });
  mkdirSync(path.join(folder, "a-folder"));
  await expect(openCatalogue({ file: path.join(folder, "a-folder") })).rejects.toMatchObject({ code: "vault-unwritable" });
});

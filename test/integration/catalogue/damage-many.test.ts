import {
  copyFileSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { setCatalogueAside } from "../../../src/catalogue/set-aside.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aGeneration, aJob, aRun, named } from "../../contract/catalogue-values.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-damage-"));
const good = path.join(folder, "good.sqlite");
const large = path.join(folder, "large.sqlite");
let files = 0;

beforeAll(async () => {
  await fill(good, 60);
  await fill(large, 6000);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function fill(file: string, count: number): Promise<void> {
  const { catalogue } = await openCatalogue({ file });
  const generations = Array.from({ length: count }, (_, at) => aGeneration("lj", at + 1, { reason: "r".repeat(200) }));
  await catalogue.replaceAll({ jobs: [aJob("lj")], runs: [{ job: named("lj"), run: aRun(1) }], generations });
  await catalogue.close();
}

function copyOf(file: string): string {
  files += 1;
  const copy = path.join(folder, `copy-${files}.sqlite`);
  copyFileSync(file, copy);
  return copy;
}

function scribble(file: string, offset: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}

/** Opens, reads everything, writes a little. */
async function use(file: string): Promise<void> {
  const { catalogue } = await openCatalogue({ file });
  try {
    for (const job of await catalogue.jobs()) {
      await catalogue.runs(job.name);
      await catalogue.generations(job.name);
      await catalogue.attempts(job.name, 10);
    }
    await catalogue.dues();
    await catalogue.putJob(aJob("lj"));
    await catalogue.putGeneration(aGeneration("lj", 1));
  } finally {
    await catalogue.close();
  }
}

const isDamaged = { code: "catalogue-damaged", exitStatus: 13 };

test("a file that is not a database is refused and left as it is", async () => {
  for (const text of ["no", "this is a letter to my aunt\n".repeat(500)]) {
    const file = path.join(folder, "letter.txt");
    writeFileSync(file, text);
    await expect(openCatalogue({ file })).rejects.toMatchObject(isDamaged);
    expect(readFileSync(file, "utf8")).toBe(text);
  }
});

test("another program's database is refused and left as it is", async () => {
  const file = path.join(folder, "theirs.sqlite");
  new Database(file).exec("create table jobs (name text); insert into jobs values ('theirs')").close();
  const [before, mode] = [readFileSync(file), statSync(file).mode];
  await expect(openCatalogue({ file })).rejects.toMatchObject(isDamaged);
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(statSync(file).mode).toBe(mode);
});

test("a catalogue that was cut short is refused", async () => {
  const file = copyOf(good);
  truncateSync(file, statSync(file).size / 2);
  await expect(use(file)).rejects.toMatchObject(isDamaged);
});

test("a small catalogue with a scribbled page is refused at open, before anything is read from it", async () => {
  const file = copyOf(good);
  scribble(file, statSync(file).size - 4096, new Uint8Array(4096).fill(0xa5));
  await expect(openCatalogue({ file })).rejects.toMatchObject(isDamaged);
});

test("damage in a large catalogue is refused by the query that meets it", async () => {
  const file = copyOf(large);
  expect(statSync(file).size).toBeGreaterThan(2 ** 20);
  scribble(file, 4096 * 20, new Uint8Array(statSync(file).size - 4096 * 20).fill(0xa5));
  const { catalogue } = await openCatalogue({ file });
  await expect(catalogue.generations(named("lj"))).rejects.toMatchObject(isDamaged);
  await catalogue.close();
});

test("a catalogue without a column that its migrations made is refused", async () => {
  const file = copyOf(good);
  new Database(file).exec("alter table runs drop column root_vpid").close();
  await expect(openCatalogue({ file })).rejects.toMatchObject({ ...isDamaged, message: expect.stringContaining("root_vpid") });
});

test("a catalogue that does not tell its migrations is refused", async () => {
  for (const statement of [
    "delete from kysely_migration",
    "drop table kysely_migration",
    "alter table kysely_migration drop column timestamp",
  ]) {
    const file = copyOf(good);
    new Database(file).exec(statement).close();
    await expect(openCatalogue({ file })).rejects.toMatchObject(isDamaged);
  }
});

test("a job whose settings do not fit is refused by name", async () => {
  const file = copyOf(good);
  new Database(file).exec(`update jobs set settings = '{"command": 7}'`).close();
  const { catalogue } = await openCatalogue({ file });
  await expect(catalogue.job(named("lj"))).rejects.toMatchObject({ ...isDamaged, message: expect.stringContaining("job lj") });
  await catalogue.close();
});

test("whatever bytes are overwritten, the answer is the content or a fault, never a crash", async () => {
  const size = statSync(good).size;
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const offsets = fc.oneof(fc.nat(120), fc.nat(4095), fc.nat(size - 64));
  await fc.assert(
    fc.asyncProperty(offsets, bytes, async (offset, scrawl) => {
      const file = copyOf(good);
      scribble(file, offset, scrawl);
      const t0 = performance.now();
      writeFileSync("/tmp/fuzz.last", JSON.stringify([offset, [...scrawl]]));
      const error = await use(file).catch((caught: unknown) => caught);
      if (performance.now() - t0 > 700) process.stderr.write(`SLOW ${performance.now() - t0} ${offset} ${[...scrawl]} ${String(error)}\n`);
      expect(error === undefined || error instanceof Fault, String(error)).toBe(true);
      for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
    }),
    { numRuns: 4000 },
  );
}, 250_000);

test("a damaged catalogue that is set aside makes room for a new one, and is kept", async () => {
  const file = copyOf(good);
  writeFileSync(file, "rubbish");
  writeFileSync(`${file}-wal`, "old log");
  expect(await setCatalogueAside(file, "now")).toBe(`${file}.damaged-now`);
  expect(readFileSync(`${file}.damaged-now`, "utf8")).toBe("rubbish");
  expect(readFileSync(`${file}.damaged-now-wal`, "utf8")).toBe("old log");
  const { catalogue, fresh } = await openCatalogue({ file });
  expect(fresh).toBe(true);
  await catalogue.close();
  expect(await setCatalogueAside(path.join(folder, "never-there"), "now")).toBeNull();
});

import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { startChild, together } from "./children.ts";

const root = path.join(import.meta.dirname, "../../..");
const folder = mkdtempSync(path.join(tmpdir(), "holdfast-migrate-"));
const shipped = path.join(root, "migrations");
/** What a later program would come with. */
let next: string;

beforeAll(() => {
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  writeFileSync(path.join(folder, "package.json"), `{ "type": "module" }`);
  next = laterProgram("next", {
    "9001_notes": "alter table jobs add column notes text",
    "9002_marks": "create table marks (text text) strict",
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A folder with the shipped migrations and these further ones. */
function laterProgram(name: string, further: Readonly<Record<string, string>>): string {
  const migrations = path.join(folder, name);
  cpSync(shipped, migrations, { recursive: true });
  for (const [migration, statement] of Object.entries(further)) {
    const text = `import { sql } from "kysely";\nexport async function up(db) {\n  await sql.raw(${JSON.stringify(statement)}).execute(db);\n}\n`;
    writeFileSync(path.join(migrations, `${migration}.js`), text);
  }
  return migrations;
}

async function olderCatalogue(name: string): Promise<string> {
  const file = path.join(folder, `${name}.d`, "catalogue.sqlite");
  const { catalogue } = await openCatalogue({ file });
  await catalogue.replaceAll({ jobs: [aJob("lj")], runs: [], generations: [] });
  await catalogue.close();
  return file;
}

const besides = (file: string): readonly string[] => readdirSync(path.dirname(file)).toSorted();

function tables(file: string): readonly unknown[] {
  const database = new Database(file, { readonly: true });
  try {
    return database.prepare("select name from kysely_migration order by name").pluck().all();
  } finally {
    database.close();
  }
}

test("a new catalogue is migrated without a copy", async () => {
  const file = path.join(folder, "new.d", "catalogue.sqlite");
  const { catalogue } = await openCatalogue({ file, migrations: next });
  await catalogue.close();
  expect(besides(file)).toStrictEqual(["catalogue.sqlite"]);
});

test("an older catalogue is migrated with its content, and a copy from before is kept for its owner alone", async () => {
  const file = await olderCatalogue("older");
  const { catalogue } = await openCatalogue({ file, migrations: next });
  expect(await catalogue.job(named("lj"))).toStrictEqual(aJob("lj"));
  await catalogue.putJob(aJob("melt"));
  await catalogue.close();
  expect(besides(file)).toStrictEqual(["catalogue.sqlite", "catalogue.sqlite.before-9001_notes"]);
  expect(tables(file).slice(-2)).toStrictEqual(["9001_notes", "9002_marks"]);

  const copy = `${file}.before-9001_notes`;
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  const before = await openCatalogue({ file: copy });
  expect(await before.catalogue.jobs()).toStrictEqual([aJob("lj")]);
  await before.catalogue.close();
});

test("opening again migrates nothing and copies nothing", async () => {
  const file = await olderCatalogue("again");
  for (const _ of [1, 2]) await (await openCatalogue({ file, migrations: next })).catalogue.close();
  rmSync(`${file}.before-9001_notes`);
  await (await openCatalogue({ file, migrations: next })).catalogue.close();
  expect(besides(file)).toStrictEqual(["catalogue.sqlite"]);
});

test("a catalogue from a newer program is refused, with the names of both, and not touched", async () => {
  const file = await olderCatalogue("newer");
  await (await openCatalogue({ file, migrations: next })).catalogue.close();
  const newest = readdirSync(shipped).toSorted().at(-1)?.replace(/\.ts$/, "");
  await expect(openCatalogue({ file })).rejects.toMatchObject({
    code: "vault-newer",
    message: `the catalogue ${file} has format 9002_marks; this Holdfast knows ${newest}`,
  });
  expect(tables(file).at(-1)).toBe("9002_marks");
});

test("a migration that fails leaves the ones before it done, and nothing of itself", async () => {
  const file = await olderCatalogue("failing");
  const broken = laterProgram("broken", {
    "9001_notes": "alter table jobs add column notes text",
    "9002_half": "create table half as select no_such_function() as x",
  });
  await expect(openCatalogue({ file, migrations: broken })).rejects.toThrow("no_such_function");
  expect(tables(file).at(-1)).toBe("9001_notes");
  const { catalogue } = await openCatalogue({ file, migrations: next });
  expect(await catalogue.jobs()).toStrictEqual([aJob("lj")]);
  await catalogue.close();
});

test("processes that migrate an older catalogue at the same time all succeed, and the copy is from before", async () => {
  const file = await olderCatalogue("raced");
  await together(3, "enter", (at) => [file, `job-${at}`, next]);
  const { catalogue } = await openCatalogue({ file, migrations: next });
  expect((await catalogue.jobs()).map((job) => job.name)).toStrictEqual(["job-0", "job-1", "job-2", "lj"]);
  await catalogue.close();
  expect(besides(file)).toStrictEqual(["catalogue.sqlite", "catalogue.sqlite.before-9001_notes"]);
  expect(tables(`${file}.before-9001_notes`)).not.toContain("9001_notes");
}, 60_000);

test("a process killed in the middle of a migration leaves the catalogue as it was", async () => {
  const file = await olderCatalogue("killed");
  const migrations = laterProgram("hanging", {});
  mkdirSync(path.join(folder, "child"), { recursive: true });
  const text = `import { sql } from "kysely";
import { writeSync } from "node:fs";
export async function up(db) {
  await sql.raw("alter table jobs add column notes text").execute(db);
  await sql.raw("delete from jobs").execute(db);
  writeSync(1, "inside\\n");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
`;
  writeFileSync(path.join(migrations, "9001_notes.js"), text);
  const child = startChild("enter", file, "never", migrations);
  child.go();
  await child.said("inside");
  child.process.kill("SIGKILL");
  await child.end();
  const { catalogue } = await openCatalogue({ file });
  expect(await catalogue.jobs()).toStrictEqual([aJob("lj")]);
  await catalogue.close();
}, 60_000);

test("a file in the folder that is no migration stops the start rather than being passed over", async () => {
  const migrations = laterProgram("strange", {});
  writeFileSync(path.join(migrations, "9001_strange.js"), "export const down = 1;\n");
  await expect(openCatalogue({ file: path.join(folder, "strange.sqlite"), migrations })).rejects.toThrow("9001_strange.js");
});

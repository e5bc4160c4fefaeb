import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import type { Selectable } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { columns, type DB } from "../../../src/catalogue/schema.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-schema-"));
const file = path.join(folder, "catalogue.sqlite");
let database: Database.Database;

beforeAll(async () => {
  await (await openCatalogue({ file })).catalogue.close();
  database = new Database(file);
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

type Sql<T> = null extends T ? `${Plain<NonNullable<T>>}?` : Plain<T>;
type Plain<T> = T extends number ? "INTEGER" : T extends string ? "TEXT" : never;

/** The compiler holds this against the `DB` interface, the test below against the file. */
const expected: { readonly [T in keyof DB]: { readonly [C in keyof Selectable<DB[T]>]: Sql<Selectable<DB[T]>[C]> } } = {
  jobs: { name: "TEXT", created_at: "INTEGER", origin: "TEXT", intent: "TEXT", settings: "TEXT" },
  runs: {
    job: "TEXT",
    number: "INTEGER",
    timeline: "INTEGER",
    started_at: "INTEGER",
    from_point: "INTEGER?",
    init_pid: "INTEGER?",
    init_start_ticks: "INTEGER?",
    init_boot_id: "TEXT?",
    root_pid: "INTEGER",
    root_start_ticks: "INTEGER",
    root_boot_id: "TEXT",
    root_vpid: "INTEGER",
    ended_at: "INTEGER?",
    ending_type: "TEXT?",
    ending_value: "INTEGER?",
  },
  generations: {
    job: "TEXT",
    number: "INTEGER",
    id: "TEXT",
    timeline: "INTEGER",
    run: "INTEGER",
    kind: "TEXT",
    parent: "INTEGER?",
    taken_at: "INTEGER",
    state: "TEXT",
    reason: "TEXT",
    tracking: "TEXT",
    bytes: "INTEGER",
    freeze_micros: "INTEGER",
    pages_scanned: "INTEGER",
    pages_written: "INTEGER",
    pages_skipped: "INTEGER",
    pages_kept: "INTEGER",
    proven_at: "INTEGER?",
    proven_milliseconds: "INTEGER?",
    held: "INTEGER",
    unpacked_bytes: "INTEGER?",
  },
  attempts: {
    id: "INTEGER",
    job: "TEXT",
    at: "INTEGER",
    outcome: "TEXT",
    point: "INTEGER?",
    code: "TEXT?",
    message: "TEXT",
    count: "INTEGER",
  },
  recoveries: {
    id: "INTEGER",
    job: "TEXT",
    at: "INTEGER",
    point: "INTEGER?",
    outcome: "TEXT",
    code: "TEXT?",
    message: "TEXT",
    lost_milliseconds: "INTEGER?",
    milliseconds: "INTEGER",
  },
  dues: { job: "TEXT", due: "INTEGER", last_attempt_at: "INTEGER?", interval: "INTEGER?" },
  leases: {
    name: "TEXT",
    token: "TEXT",
    owner_pid: "INTEGER",
    owner_start_ticks: "INTEGER",
    owner_boot_id: "TEXT",
    verb: "TEXT",
    expires_at: "INTEGER",
    wanted: "INTEGER",
  },
};

type Column = { readonly name: string; readonly type: string; readonly notnull: number };

function found(table: string): Record<string, string> {
  const info = database.prepare<[string], Column>('select name, type, "notnull" from pragma_table_info(?)').all(table);
  return Object.fromEntries(info.map((column) => [column.name, column.notnull === 1 ? column.type : `${column.type}?`]));
}

test("the tables in the file are those of the DB interface, column by column, type by type", () => {
  const names = database
    .prepare<[], string>("select name from sqlite_schema where type = 'table' and name not like 'kysely%'")
    .pluck()
    .all();
  expect(Object.fromEntries(names.map((name) => [name, found(name)]))).toStrictEqual(expected);
});

test("the columns verified at open are all there are", () => {
  const verified = Object.entries(columns).map(([table, names]) => [table, Object.keys(names)]);
  expect(verified).toStrictEqual(Object.entries(expected).map(([table, names]) => [table, Object.keys(names)]));
});

test("every table is strict", () => {
  const strict = database.prepare<[], string>("select name from pragma_table_list where strict = 1").pluck().all();
  expect(strict.toSorted()).toStrictEqual(Object.keys(expected).toSorted());
});

test("what the interface calls a union, the file checks", () => {
  const refused = (statement: string): void => {
    expect(() => database.exec(statement), statement).toThrow(/CHECK constraint failed/);
  };
  database.exec("insert into jobs values ('lj', 1, 'launched', 'run', '{}')");
  refused("insert into jobs values ('x', 1, 'born', 'run', '{}')");
  refused("insert into jobs values ('x', 1, 'launched', 'walk', '{}')");
  refused("insert into jobs values ('x', 1, 'launched', 'run', '{')");
  refused("insert into dues values ('lj', 1, null, 0)");
  refused("insert into attempts values (null, 'lj', 1, 'perhaps', null, null, '', 1)");
  const generation = (kind: string, parent: string, state: string, held: string): string =>
    `insert into generations values ('lj', 2, 'id', 1, 1, '${kind}', ${parent}, 1, '${state}', '', 'compare', 1, 1, 1, 1, 1, 1, null, null, ${held}, null)`;
  refused(generation("base", "1", "sealed", "0"));
  refused(generation("increment", "null", "sealed", "0"));
  refused(generation("increment", "2", "sealed", "0"));
  refused(generation("base", "null", "fine", "0"));
  refused(generation("base", "null", "sealed", "2"));
  refused("insert into runs values ('lj', 1, 1, 1, null, 5, null, null, 1, 1, '', 1, null, null, null)");
  refused("insert into runs values ('lj', 1, 1, 1, null, null, null, null, 1, 1, '', 1, null, 'exited', null)");
});

test("the lists that are asked for often need no sort and no scan of the table", () => {
  const plan = (query: string): string =>
    database
      .prepare<[], { readonly detail: string }>(`explain query plan ${query}`)
      .all()
      .map((row) => row.detail)
      .join("; ");
  expect(plan("select * from generations where job = 'lj' order by number")).not.toMatch(/SCAN|TEMP B-TREE/);
  expect(plan("select * from generations where job = 'lj' and taken_at <= 5 order by taken_at desc")).not.toMatch(
    /SCAN|TEMP B-TREE/,
  );
  expect(plan("select * from attempts where job = 'lj' order by at desc, id desc limit 5")).not.toMatch(/SCAN|TEMP B-TREE/);
});

import { type Database, SqliteError } from "better-sqlite3";
import { unexpired } from "./generations.ts";
import { columns } from "./schema.ts";
import { damaged } from "./translate.ts";

/** `pragma application_id` of a catalogue, "Hold"; the first migration writes it. */
const applicationId = 0x486f6c64;

/** Files up to this many bytes are read through at open (a few milliseconds); for larger ones, damage shows when it is met. */
const checkedBytes = 2 ** 20;

/**
 * Refuses, before anything is written to it, a file that is not a catalogue. Empty files pass. The first read also checks
 * SQLite's own header. Fault: `catalogue-damaged`.
 */
export function verifyIdentity(database: Database, file: string): void {
  const id = database.pragma("application_id", { simple: true });
  const isEmpty = database.prepare("select count(*) from sqlite_schema").pluck().get() === 0;
  if (isEmpty) return;
  if (id !== applicationId) throw damaged(file, "it is the database of another program");
  // The first migration makes the tables and is noted down in one transaction, so one without the other was never written by us.
  verifyTable(database, file, "kysely_migration", ["name", "timestamp"]);
  if (database.prepare("select count(*) from kysely_migration").pluck().get() === 0)
    throw damaged(file, "its list of migrations is empty");
}

/** Refuses a file whose tables are not what its migrations say, or, when small, whose pages are. Fault: `catalogue-damaged`. */
export function verifyContent(database: Database, file: string): void {
  for (const [table, names] of Object.entries(columns)) verifyTable(database, file, table, Object.keys(names));
  verifyStatement(database, file, unexpired);
  const bytes = database.prepare("select page_count * page_size from pragma_page_count(), pragma_page_size()").pluck().get();
  if (Number(bytes) > checkedBytes) return;
  const answer = database.pragma("quick_check(1)", { simple: true });
  if (answer !== "ok") throw damaged(file, String(answer));
}

/** Compiles, and does not run, the insertion of a whole row: that takes every column, every CHECK and every foreign key. */
function verifyTable(database: Database, file: string, table: string, names: readonly string[]): void {
  verifyStatement(database, file, `insert into ${table} (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`);
}

function verifyStatement(database: Database, file: string, sql: string): void {
  try {
    database.prepare(sql);
  } catch (error) {
    // The statement is right, so what it does not fit is wrong.
    const isMisfit = error instanceof SqliteError && error.code === "SQLITE_ERROR";
    throw isMisfit ? damaged(file, error.message, error) : error;
  }
}

import type { Database, Statement } from "better-sqlite3";
import type { Insertable } from "kysely";
import type { DB } from "./schema.ts";
import { translated } from "./translate.ts";

/**
 * One open catalogue file. Statements are plain SQL, compiled once each: the query builder that the migrations use takes 25 MiB in every thread
 * and a quarter of a short command's time. Whatever SQLite throws leaves as a fault (`translate.ts`).
 */
export type Connection = {
  readonly file: string;
  /** All rows of the answer. */
  all<Row>(sql: string, ...values: readonly Value[]): readonly Row[];
  first<Row>(sql: string, ...values: readonly Value[]): Row | undefined;
  /** Gives how many rows were changed. */
  run(sql: string, ...values: readonly Value[]): number;
  /** Inserts the row, or, where one with the same `keys` is there, overwrites the columns that are given; the others stay. */
  put<T extends keyof DB>(table: T, row: Insertable<DB[T]>, keys: readonly (keyof DB[T] & string)[]): void;
  /** All or nothing; begins `immediate`: one that reads and then writes would else fail with SQLITE_BUSY_SNAPSHOT whatever the timeout. */
  transaction<T>(act: () => T): T;
  close(): void;
};

export type Value = string | number | null;

export function connectionTo(database: Database, file: string): Connection {
  const compiled = new Map<string, Statement<Value[]>>();
  const statement = (sql: string): Statement<Value[]> => {
    const known = compiled.get(sql) ?? database.prepare<Value[]>(sql);
    compiled.set(sql, known);
    return known;
  };
  const telling = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw translated(error, file);
    }
  };
  const run: Connection["run"] = (sql, ...values) => telling(() => statement(sql).run(...values).changes);
  return {
    file,
    all: <Row>(sql: string, ...values: readonly Value[]) => telling(() => statement(sql).all(...values) as Row[]),
    first: <Row>(sql: string, ...values: readonly Value[]) => telling(() => statement(sql).get(...values) as Row | undefined),
    run,
    put(table, row, keys) {
      const names = Object.keys(row);
      run(putting(table, names, keys), ...Object.values<Value>(row));
    },
    // A full disk or an I/O error has rolled back already; better-sqlite3 sees that, and hides no error by a second rollback.
    transaction: (act) => telling(() => database.transaction(act).immediate()),
    close: () => telling(() => database.close()),
  };
}

function putting(table: string, names: readonly string[], keys: readonly string[]): string {
  const insert = `insert into ${table} (${names.join(", ")}) values (${names.map(() => "?").join(", ")})`;
  if (keys.length === 0) return insert;
  // Not `replace`: that deletes the row first, and with it, by the foreign keys, all that hangs on it.
  const sets = names.filter((name) => !keys.includes(name)).map((name) => `${name} = excluded.${name}`);
  return `${insert} on conflict (${keys.join(", ")}) do update set ${sets.join(", ")}`;
}

import { readdir } from "node:fs/promises";
import { Fault } from "../faults/fault.ts";
import type { Connection } from "./connection.ts";

/** Names of the migrations in a folder, without loading any: on an ordinary day there is nothing to do, and loading them is dear. */
export async function migrationNames(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((file) => /\.[cm]?[jt]s$/.test(file) && !/\.d\.[cm]?ts$/.test(file));
  return files.map((file) => file.slice(0, file.lastIndexOf(".")));
}

/**
 * The next of the `known` migrations that the file has not been through; `undefined`: it has been through all. Fault: `vault-newer`, if it has
 * been through one that is not known.
 */
export function nextMigration(connection: Connection, known: readonly string[]): string | undefined {
  const inOrder = known.toSorted();
  const done = executed(connection);
  const unknown = done.findLast((name) => !known.includes(name));
  if (unknown !== undefined) {
    const what = `the catalogue ${connection.file}`;
    throw Fault.of("vault-newer", { what, found: unknown, known: inOrder.at(-1) ?? "none" });
  }
  return inOrder.find((name) => !done.includes(name));
}

/** Names of the migrations the file has been through, oldest first; none for an empty file. */
function executed(connection: Connection): readonly string[] {
  const table = connection.first("select 1 from sqlite_schema where type = 'table' and name = 'kysely_migration'");
  if (table === undefined) return [];
  return connection.all<{ name: string }>("select name from kysely_migration order by name").map((row) => row.name);
}

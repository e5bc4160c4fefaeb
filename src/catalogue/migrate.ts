import { promises as fs } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { sql, type Kysely } from "kysely";
import { FileMigrationProvider, Migrator, type Migration } from "kysely/migration";
import { Fault } from "../faults/fault.ts";
import { keepCopy } from "./keep-copy.ts";
import { isUnfilled } from "./replace.ts";
import type { DB } from "./schema.ts";
import { damaged } from "./translate.ts";

/**
 * Brings the file to this program's newest migration, each in an immediate transaction of its own: of two processes one
 * migrates, the other waits and finds nothing to do. A crash leaves the file at one migration or the next.
 *
 * A file with anything in it is copied first, to `FILE.before-MIGRATION`, with the write lock held, so that
 * nothing can be written between the copy and the migration.
 *
 * Faults: `vault-newer`, if the file has migrations this program does not know; `catalogue-damaged`.
 */
export async function migrate(db: Kysely<DB>, file: string, folder: string): Promise<void> {
  const migrations = await readMigrations(folder);
  const known = Object.keys(migrations).toSorted();
  let isCopied = false;
  while (nextOf(known, await executed(db), file) !== undefined) {
    await db.transaction().execute(async (transaction) => {
      const next = nextOf(known, await executed(transaction), file);
      if (next === undefined) return;
      if (!isCopied && !(await isUnfilled(transaction))) {
        await keepCopy(file, `${file}.before-${next}`);
        isCopied = true;
      }
      const migrator = new Migrator({ db: transaction, provider: { getMigrations: async () => migrations } });
      const { error, results } = await migrator.migrateUp();
      if (error !== undefined) throw error instanceof Error ? error : new Error(`${next} failed`, { cause: error });
      // Kysely reads the table, the list above comes from its index: if one is scribbled, this would go on for ever.
      if (results?.[0]?.migrationName !== next) throw damaged(file, `it does not tell whether ${next} was done`);
    });
  }
}

async function readMigrations(folder: string): Promise<Record<string, Migration>> {
  const provider = new FileMigrationProvider({
    fs,
    path,
    migrationFolder: folder,
    // A URL: in a plain path, %, # and ? would mean something else.
    import: (file) => import(pathToFileURL(file).href),
    onFileIgnored: (file, why) => {
      if (why === "NotMigration") throw new Error(`${path.join(folder, file)} exports no migration`);
    },
  });
  return provider.getMigrations();
}

/** Names of the migrations the file has been through, oldest first; none for an empty file. */
async function executed(db: Kysely<DB>): Promise<readonly string[]> {
  const tables = await sql`select 1 from sqlite_schema where type = 'table' and name = 'kysely_migration'`.execute(db);
  if (tables.rows.length === 0) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map((row) => row.name);
}

function nextOf(known: readonly string[], done: readonly string[], file: string): string | undefined {
  const unknown = done.findLast((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw Fault.of("vault-newer", { what: `the catalogue ${file}`, found: unknown, known: known.at(-1) ?? "none" });
  }
  return known.find((name) => !done.includes(name));
}

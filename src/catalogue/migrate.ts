import { promises as fs } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Database } from "better-sqlite3";
import { Kysely } from "kysely";
import { FileMigrationProvider, Migrator, type Migration } from "kysely/migration";
import type { Connection } from "./connection.ts";
import { CatalogueDialect } from "./dialect.ts";
import { keepCopy } from "./keep-copy.ts";
import { nextMigration } from "./next-migration.ts";
import { isUnfilled } from "./replace.ts";
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
export async function migrate(connection: Connection, database: Database, folder: string): Promise<void> {
  const { file } = connection;
  const migrations = await readMigrations(folder);
  const known = Object.keys(migrations);
  // On the same file handle: what `connection` reads inside a transaction of this one is inside it. Closing it is the caller's.
  const db = new Kysely<unknown>({ dialect: new CatalogueDialect(database, file) });
  let isCopied = false;
  while (nextMigration(connection, known) !== undefined) {
    await db.transaction().execute(async (transaction) => {
      const next = nextMigration(connection, known);
      if (next === undefined) return;
      if (!isCopied && !isUnfilled(connection)) {
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

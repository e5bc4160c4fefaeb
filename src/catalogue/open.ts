import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import Database from "better-sqlite3";
import type { Catalogue } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { attemptsIn } from "./attempts.ts";
import { connectionTo, type Connection } from "./connection.ts";
import { duesIn } from "./dues.ts";
import { generationsIn } from "./generations.ts";
import { jobsIn } from "./jobs.ts";
import { leasesIn } from "./leases.ts";
import { migrationNames, nextMigration } from "./next-migration.ts";
import { recoveriesIn } from "./recoveries.ts";
import { remembering } from "./remember.ts";
import { isUnfilled, replaceContent } from "./replace.ts";
import { runsIn } from "./runs.ts";
import { translated } from "./translate.ts";
import { verifyContent, verifyIdentity } from "./verify.ts";

export type CatalogueOptions = {
  /** The SQLite file; it and its folder are made if missing, 0600 and 0700. On a local filesystem: WAL does not work over NFS. */
  readonly file: string;
  /** Folder of the migrations; by default the one this program came with. */
  readonly migrations?: string;
  /** How long a statement waits for another process's lock, in milliseconds; then `catalogue-busy`. Default 5000. */
  readonly busyMilliseconds?: number;
};

/**
 * Opens the catalogue, makes or migrates it. One connection per thread; never share one.
 *
 * `fresh`: nothing has filled it yet (`replaceAll`), because it was made just now or whoever made it died too early. The caller
 * then rebuilds it from the vault; two processes that do so at once do no harm.
 *
 * Faults: `vault-newer`, `catalogue-damaged`, `catalogue-busy`, `vault-full`, `vault-unwritable`, `io-failed`; the last five also
 * from every method later on.
 */
export async function openCatalogue(
  options: CatalogueOptions,
): Promise<{ readonly catalogue: Catalogue; readonly fresh: boolean }> {
  const { file, migrations = shippedMigrations, busyMilliseconds = 5000 } = options;
  let database: Database.Database | undefined;
  try {
    makeFile(file);
    requireRoom(file);
    database = await connect(file, busyMilliseconds);
    const connection = connectionTo(database, file);
    if (nextMigration(connection, await migrationNames(migrations)) !== undefined) {
      const { migrate } = await import("./migrate.ts");
      await migrate(connection, database, migrations);
    }
    verifyContent(database, file);
    return { catalogue: catalogueOver(connection), fresh: isUnfilled(connection) };
  } catch (error) {
    database?.close();
    throw translated(error, file);
  }
}

/** `migrations/` beside `src/`, in a checkout and in `dist/` alike. */
const shippedMigrations = path.join(import.meta.dirname, "../../migrations");

function catalogueOver(connection: Connection): Catalogue {
  const catalogue: Omit<Catalogue, "changes"> = {
    ...jobsIn(connection),
    ...runsIn(connection),
    ...generationsIn(connection),
    ...attemptsIn(connection),
    ...recoveriesIn(connection),
    ...duesIn(connection),
    ...leasesIn(connection),
    replaceAll: async (content) => replaceContent(connection, content),
    close: async () => connection.close(),
  };
  return remembering(catalogue, connection);
}

/**
 * Environments of jobs are in it, passwords perhaps: nobody but the owner reads it. SQLite gives `-wal` and `-shm` the same mode.
 *
 * The file comes into place by a link, already closed. Closing a file drops every lock this process has on it, those of SQLite in
 * another thread too, so nothing here may open it but SQLite (https://sqlite.org/howtocorrupt.html, 2.2).
 */
function makeFile(file: string): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(`${file}.new-`);
  try {
    writeFileSync(path.join(folder, "empty"), "", { mode: 0o600 });
    linkSync(path.join(folder, "empty"), file);
  } catch (error) {
    if (!existsSync(file)) throw error; // Else another process was faster.
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * SQLite maps its `-shm`, and takes a block for each of its pages of 4 KiB before it writes there. On a file system with smaller blocks (a small ext4)
 * that leaves holes: on a full disk the first write into one is a SIGBUS, which ends the whole process without a word.
 */
function requireRoom(file: string): void {
  const { bsize, bavail } = statfsSync(path.dirname(file));
  if (bsize < 4096 && bavail * bsize < shmBytes) throw Fault.of("vault-full", { place: path.dirname(file) });
}

/** Four times what SQLite maps for a write-ahead log of some megabytes. */
const shmBytes = 128 * 1024;

const pauseMilliseconds = 50;

async function connect(file: string, busyMilliseconds: number): Promise<Database.Database> {
  // A try waits for a lock as long as for the next try: so the tries are a measure of the time, and no clock is asked.
  for (let left = busyMilliseconds; ; left -= pauseMilliseconds) {
    const database = new Database(file, { timeout: pauseMilliseconds });
    try {
      verifyIdentity(database, file);
      if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
      database.pragma("journal_mode = WAL");
      database.pragma("synchronous = FULL");
      database.pragma("foreign_keys = ON");
      database.pragma(`busy_timeout = ${busyMilliseconds}`);
      return database;
    } catch (error) {
      database.close();
      // The change to WAL needs the file for itself for a moment, and SQLite does not wait for that by its timeout.
      const fault = translated(error, file);
      if (!(fault instanceof Fault && fault.code === "catalogue-busy" && left > 0)) throw fault;
      await wait(pauseMilliseconds);
    }
  }
}

import type { Database } from "better-sqlite3";
import { CompiledQuery, SqliteAdapter, SqliteDialect, SqliteDriver } from "kysely";
import type { DatabaseConnection, Driver, QueryResult, TransactionSettings } from "kysely";
import { translated } from "./translate.ts";

/**
 * Kysely's SQLite dialect, made safe for several processes on one file:
 *
 * - Transactions begin `immediate`. A deferred one that reads and then writes fails with SQLITE_BUSY_SNAPSHOT whatever the timeout.
 * - Schema changes are part of the transaction, as SQLite has it; Kysely's own adapter denies that, and half a migration stays.
 * - Every error leaves as a fault (see `translate.ts`).
 */
export class CatalogueDialect extends SqliteDialect {
  readonly #database: Database;
  readonly #file: string;

  constructor(database: Database, file: string) {
    super({ database });
    this.#database = database;
    this.#file = file;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#database, this.#file);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalDdlAdapter();
  }
}

class ImmediateDriver extends SqliteDriver {
  readonly #database: Database;
  readonly #file: string;
  #connection: DatabaseConnection | undefined;

  constructor(database: Database, file: string) {
    super({ database });
    this.#database = database;
    this.#file = file;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    this.#connection ??= translating(await super.acquireConnection(), this.#file);
    return this.#connection;
  }

  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw(settings?.accessMode === "read only" ? "begin" : "begin immediate"));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // A full disk or an I/O error has rolled back already; a second rollback would fail and hide that error.
    if (this.#database.inTransaction) await super.rollbackTransaction(connection);
  }
}

class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function translating(connection: DatabaseConnection, file: string): DatabaseConnection {
  return {
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      try {
        return await connection.executeQuery<R>(query);
      } catch (error) {
        throw translated(error, file);
      }
    },
    streamQuery() {
      throw new Error("the catalogue reads whole answers: they are small, and a stream would hold the connection");
    },
  };
}

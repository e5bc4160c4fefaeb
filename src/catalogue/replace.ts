import { sql, type Kysely } from "kysely";
import type { CatalogueContent } from "../engine/ports.ts";
import { generationRow } from "./generations.ts";
import { jobRow } from "./jobs.ts";
import { runRow } from "./runs.ts";
import type { DB } from "./schema.ts";

/** Rows in one statement; SQLite takes 32766 parameters, and a generation has 19. */
const batch = 500;

/**
 * Throws all content away and writes this, in one transaction: a crash leaves the old content or the new.
 * Leases stay. They are about processes that are alive now, one of which may be at work behind this.
 */
export async function replaceContent(db: Kysely<DB>, content: CatalogueContent): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom("jobs").execute();
    for (const some of batches(content.jobs)) await transaction.insertInto("jobs").values(some.map(jobRow)).execute();
    for (const some of batches(content.runs)) {
      await transaction
        .insertInto("runs")
        .values(some.map(({ job, run }) => runRow(job, run)))
        .execute();
    }
    for (const some of batches(content.generations)) {
      await transaction.insertInto("generations").values(some.map(generationRow)).execute();
    }
    await sql`pragma user_version = 1`.execute(transaction);
  });
}

/** Nothing has been filled in yet: the file is new, or whoever made it died before it was filled from the vault. */
export async function isUnfilled(db: Kysely<DB>): Promise<boolean> {
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(db);
  return rows[0]?.user_version === 0;
}

function batches<T>(all: readonly T[]): readonly T[][] {
  return Array.from({ length: Math.ceil(all.length / batch) }, (_, at) => all.slice(at * batch, (at + 1) * batch));
}

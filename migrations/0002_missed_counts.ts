import { sql, type Kysely } from "kysely";

/** After downtime one row stands for all the generations that were missed: `count` says how many. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw("alter table attempts add column count integer not null default 1 check (count > 0)").execute(db);
}

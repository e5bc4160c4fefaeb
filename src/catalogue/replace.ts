import type { CatalogueContent } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import { generationRow } from "./generations.ts";
import { jobRow } from "./jobs.ts";
import { runRow } from "./runs.ts";

/**
 * Throws all content away and writes this, in one transaction: a crash leaves the old content or the new.
 * Leases stay. They are about processes that are alive now, one of which may be at work behind this.
 */
export function replaceContent(connection: Connection, content: CatalogueContent): void {
  connection.transaction(() => {
    connection.run("delete from jobs");
    for (const job of content.jobs) connection.put("jobs", jobRow(job), []);
    for (const { job, run } of content.runs) connection.put("runs", runRow(job, run), []);
    for (const generation of content.generations) connection.put("generations", generationRow(generation), []);
    connection.run("pragma user_version = 1");
  });
}

/** Nothing has been filled in yet: the file is new, or whoever made it died before it was filled from the vault. */
export function isUnfilled(connection: Connection): boolean {
  return connection.first<{ user_version: number }>("pragma user_version")?.user_version === 0;
}

import type { Kysely, Selectable, Updateable } from "kysely";
import type { Generation } from "../domain/generation.ts";
import type { Catalogue, GenerationMark } from "../engine/ports.ts";
import type { DB, GenerationsTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Generations, oldest first. Fault: `job-unknown` for one of a job that is not there. */
export function generationsIn(
  db: Kysely<DB>,
): Pick<Catalogue, "generations" | "putGeneration" | "removeGeneration" | "markGeneration"> {
  return {
    async generations(name) {
      const rows = await db.selectFrom("generations").selectAll().where("job", "=", name).orderBy("number").execute();
      return rows.map(generationOf);
    },

    async putGeneration(generation) {
      const row = generationRow(generation);
      const insert = db.insertInto("generations").values(row);
      const { job: _job, number: _number, ...rest } = row;
      await aboutJob(generation.job, () =>
        insert.onConflict((conflict) => conflict.columns(["job", "number"]).doUpdateSet(rest)).execute(),
      );
    },

    async removeGeneration(name, number) {
      await db.deleteFrom("generations").where("job", "=", name).where("number", "=", number).execute();
    },

    async markGeneration(name, number, mark) {
      const change = markRow(mark);
      if (Object.keys(change).length === 0) return;
      await db.updateTable("generations").set(change).where("job", "=", name).where("number", "=", number).execute();
    },
  };
}

export function generationRow(generation: Generation): Selectable<GenerationsTable> {
  return {
    job: generation.job,
    number: generation.number,
    id: generation.id,
    timeline: generation.timeline,
    run: generation.run,
    kind: generation.kind,
    parent: generation.parent,
    taken_at: generation.takenAt,
    state: generation.state,
    reason: generation.reason,
    tracking: generation.tracking,
    bytes: generation.bytes,
    freeze_micros: generation.freezeMicros,
    pages_scanned: generation.pages.scanned,
    pages_written: generation.pages.written,
    pages_skipped: generation.pages.skipped,
    pages_kept: generation.pages.kept,
    proven_at: generation.provenAt,
    proven_milliseconds: generation.provenMilliseconds,
    held: generation.held ? 1 : 0,
  };
}

function generationOf(row: Selectable<GenerationsTable>): Generation {
  return {
    job: row.job,
    number: row.number,
    id: row.id,
    timeline: row.timeline,
    run: row.run,
    kind: row.kind,
    parent: row.parent,
    takenAt: row.taken_at,
    state: row.state,
    reason: row.reason,
    tracking: row.tracking,
    bytes: row.bytes,
    freezeMicros: row.freeze_micros,
    pages: { scanned: row.pages_scanned, written: row.pages_written, skipped: row.pages_skipped, kept: row.pages_kept },
    provenAt: row.proven_at,
    provenMilliseconds: row.proven_milliseconds,
    held: row.held === 1,
  };
}

/** Only what the mark speaks of. */
function markRow(mark: GenerationMark): Updateable<GenerationsTable> {
  return {
    ...(mark.state !== undefined && { state: mark.state }),
    ...(mark.reason !== undefined && { reason: mark.reason }),
    ...(mark.provenAt !== undefined && { proven_at: mark.provenAt }),
    ...(mark.provenMilliseconds !== undefined && { proven_milliseconds: mark.provenMilliseconds }),
    ...(mark.held !== undefined && { held: mark.held ? 1 : 0 }),
  };
}

import type { Kysely } from "kysely";
import type { Catalogue } from "../engine/ports.ts";
import type { DB } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Tries to bring jobs back, newest first. They are few: none is ever dropped but with its job. */
export function recoveriesIn(db: Kysely<DB>): Pick<Catalogue, "recoveries" | "putRecovery"> {
  return {
    async recoveries(name, limit) {
      const rows = await db
        .selectFrom("recoveries")
        .selectAll()
        .where("job", "=", name)
        .orderBy("at", "desc")
        .orderBy("id", "desc")
        .limit(limit)
        .execute();
      return rows.map(({ id: _id, lost_milliseconds, ...row }) => ({ ...row, lostMilliseconds: lost_milliseconds }));
    },

    async putRecovery({ lostMilliseconds, ...recovery }) {
      const row = { ...recovery, lost_milliseconds: lostMilliseconds };
      await aboutJob(recovery.job, () => db.insertInto("recoveries").values(row).execute());
    },
  };
}

import type { Kysely } from "kysely";
import type { Catalogue } from "../engine/ports.ts";
import type { DB } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Dues, the soonest first. Fault: `job-unknown` for one of a job that is not there. */
export function duesIn(db: Kysely<DB>): Pick<Catalogue, "dues" | "putDue"> {
  return {
    async dues() {
      const rows = await db.selectFrom("dues").selectAll().orderBy("due").orderBy("job").execute();
      return rows.map((row) => ({ job: row.job, due: row.due, lastAttemptAt: row.last_attempt_at }));
    },

    async putDue({ job, due, lastAttemptAt }) {
      const rest = { due, last_attempt_at: lastAttemptAt };
      await aboutJob(job, () =>
        db
          .insertInto("dues")
          .values({ job, ...rest })
          .onConflict((conflict) => conflict.column("job").doUpdateSet(rest))
          .execute(),
      );
    },
  };
}

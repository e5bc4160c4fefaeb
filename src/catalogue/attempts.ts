import type { Kysely } from "kysely";
import type { Catalogue } from "../engine/ports.ts";
import type { DB } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** How many attempts of one job are kept; at one a minute, the last sixteen hours. */
const kept = 1000;

/** Attempts, newest first; older ones than the newest thousand of their job are dropped as new ones come. */
export function attemptsIn(db: Kysely<DB>): Pick<Catalogue, "attempts" | "putAttempt"> {
  return {
    async attempts(name, limit) {
      return db
        .selectFrom("attempts")
        .select(["job", "at", "outcome", "point", "code", "message", "count"])
        .where("job", "=", name)
        .orderBy("at", "desc")
        .orderBy("id", "desc")
        .limit(limit)
        .execute();
    },

    async putAttempt(attempt) {
      const { job, at, outcome, point, code, message, count } = attempt;
      await aboutJob(job, () =>
        db.transaction().execute(async (transaction) => {
          await transaction.insertInto("attempts").values({ job, at, outcome, point, code, message, count }).execute();
          const surplus = transaction
            .selectFrom("attempts")
            .select("id")
            .where("job", "=", job)
            .orderBy("at", "desc")
            .orderBy("id", "desc")
            .limit(-1)
            .offset(kept);
          await transaction.deleteFrom("attempts").where("id", "in", surplus).execute();
        }),
      );
    },
  };
}

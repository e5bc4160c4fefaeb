import type { Selectable } from "kysely";
import type { Attempt, Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { AttemptsTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** How many attempts of one job are kept; at one a minute, the last sixteen hours. */
const kept = 1000;

/** Attempts, newest first; older ones than the newest thousand of their job are dropped as new ones come. */
export function attemptsIn(connection: Connection): Pick<Catalogue, "attempts" | "attemptsInAll" | "putAttempt"> {
  return {
    async attempts(name, limit) {
      const newest = "select * from attempts where job = ? order by at desc, id desc limit ?";
      return connection.all<Row>(newest, name, limit).map(attemptOf);
    },

    async attemptsInAll(name) {
      const made = "select * from attempts where job = ? and outcome <> 'missed' order by at desc, id desc limit 1";
      const newest = connection.first<Row>(made, name);
      const missed = "select total(count) as missed from attempts where job = ? and outcome = 'missed'";
      const counted = connection.first<{ readonly missed: number }>(missed, name);
      return { newestMade: newest ? attemptOf(newest) : null, missed: counted?.missed ?? 0 };
    },

    async putAttempt(attempt) {
      const { job, at, outcome, point, code, message, count } = attempt;
      aboutJob(job, () =>
        connection.transaction(() => {
          connection.put("attempts", { job, at, outcome, point, code, message, count }, []);
          const surplus = "select id from attempts where job = ? order by at desc, id desc limit -1 offset ?";
          connection.run(`delete from attempts where id in (${surplus})`, job, kept);
        }),
      );
    },
  };
}

type Row = Selectable<AttemptsTable>;

function attemptOf({ id: _id, ...attempt }: Row): Attempt {
  return attempt;
}

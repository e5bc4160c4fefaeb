import type { Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { DuesTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Dues, the soonest first. Fault: `job-unknown` for one of a job that is not there. */
export function duesIn(connection: Connection): Pick<Catalogue, "dues" | "putDue"> {
  return {
    async dues() {
      const rows = connection.all<DuesTable>("select * from dues order by due, job");
      return rows.map((row) => ({ job: row.job, due: row.due, lastAttemptAt: row.last_attempt_at, interval: row.interval }));
    },

    async putDue({ job, due, lastAttemptAt, interval }) {
      const rest = { due, last_attempt_at: lastAttemptAt, ...(interval !== undefined && { interval }) };
      aboutJob(job, () => connection.put("dues", { job, ...rest }, ["job"]));
    },
  };
}

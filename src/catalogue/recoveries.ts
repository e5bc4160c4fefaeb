import type { Selectable } from "kysely";
import type { Catalogue } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { RecoveriesTable } from "./schema.ts";
import { aboutJob } from "./translate.ts";

/** Tries to bring jobs back, newest first. They are few: none is ever dropped but with its job. */
export function recoveriesIn(connection: Connection): Pick<Catalogue, "recoveries" | "putRecovery"> {
  return {
    async recoveries(name, limit) {
      const newest = "select * from recoveries where job = ? order by at desc, id desc limit ?";
      const rows = connection.all<Selectable<RecoveriesTable>>(newest, name, limit);
      return rows.map(({ id: _id, lost_milliseconds, ...row }) => ({ ...row, lostMilliseconds: lost_milliseconds }));
    },

    async putRecovery({ lostMilliseconds, ...recovery }) {
      const row = { ...recovery, lost_milliseconds: lostMilliseconds };
      aboutJob(recovery.job, () => connection.put("recoveries", row, []));
    },
  };
}

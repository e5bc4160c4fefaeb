import type { Selectable } from "kysely";
import type { Catalogue, Lease, LeaseAnswer } from "../engine/ports.ts";
import type { Connection } from "./connection.ts";
import type { LeasesTable } from "./schema.ts";

/**
 * Leases. The question and the taking are one immediate transaction, so no other process comes in between; the others wait
 * (up to the connection's timeout), then find it taken.
 */
export function leasesIn(connection: Connection): Pick<Catalogue, "acquireLease" | "renewLease" | "leaseWanted" | "releaseLease"> {
  return {
    async acquireLease(lease, now, isAlive) {
      return connection.transaction<LeaseAnswer>(() => {
        const row = connection.first<Row>("select * from leases where name = ?", lease.name);
        const holder = row ? leaseOf(row) : null;
        if (holder && holder.expiresAt > now && isAlive(holder.owner)) {
          connection.run("update leases set wanted = 1 where name = ? and wanted = 0", lease.name);
          return { granted: false, holder };
        }
        connection.put("leases", leaseRow(lease), ["name"]);
        return { granted: true, tookOver: holder };
      });
    },

    async renewLease(name, token, expiresAt) {
      return connection.run("update leases set expires_at = ? where name = ? and token = ?", expiresAt, name, token) > 0;
    },

    async leaseWanted(name, token) {
      const row = connection.first<Row>("select * from leases where name = ? and token = ?", name, token);
      return row?.wanted === 1;
    },

    async releaseLease(name, token) {
      connection.run("delete from leases where name = ? and token = ?", name, token);
    },
  };
}

type Row = Selectable<LeasesTable>;

function leaseRow(lease: Lease): Selectable<LeasesTable> {
  return {
    name: lease.name,
    token: lease.token,
    owner_pid: lease.owner.pid,
    owner_start_ticks: lease.owner.startTicks,
    owner_boot_id: lease.owner.bootId,
    verb: lease.verb,
    expires_at: lease.expiresAt,
    wanted: 0,
  };
}

function leaseOf(row: Selectable<LeasesTable>): Lease {
  return {
    name: row.name,
    token: row.token,
    owner: { pid: row.owner_pid, startTicks: row.owner_start_ticks, bootId: row.owner_boot_id },
    verb: row.verb,
    expiresAt: row.expires_at,
  };
}

import type { Kysely, Selectable } from "kysely";
import type { Catalogue, Lease } from "../engine/ports.ts";
import type { DB, LeasesTable } from "./schema.ts";

/**
 * Leases. The question and the taking are one immediate transaction, so no other process comes in between; the others wait
 * (up to the connection's timeout), then find it taken.
 */
export function leasesIn(db: Kysely<DB>): Pick<Catalogue, "acquireLease" | "renewLease" | "leaseWanted" | "releaseLease"> {
  return {
    async acquireLease(lease, now, isAlive) {
      return db.transaction().execute(async (transaction) => {
        const row = await transaction.selectFrom("leases").selectAll().where("name", "=", lease.name).executeTakeFirst();
        const holder = row ? leaseOf(row) : null;
        if (holder && holder.expiresAt > now && isAlive(holder.owner)) {
          await transaction
            .updateTable("leases")
            .set({ wanted: 1 })
            .where("name", "=", lease.name)
            .where("wanted", "=", 0)
            .execute();
          return { granted: false, holder };
        }
        const { name, ...rest } = leaseRow(lease);
        await transaction
          .insertInto("leases")
          .values({ name, ...rest })
          .onConflict((conflict) => conflict.column("name").doUpdateSet(rest))
          .execute();
        return { granted: true, tookOver: holder };
      });
    },

    async renewLease(name, token, expiresAt) {
      const held = db.updateTable("leases").set({ expires_at: expiresAt }).where("name", "=", name).where("token", "=", token);
      return (await held.executeTakeFirst()).numUpdatedRows > 0n;
    },

    async leaseWanted(name, token) {
      const asked = db.selectFrom("leases").select("wanted").where("name", "=", name).where("token", "=", token);
      return (await asked.executeTakeFirst())?.wanted === 1;
    },

    async releaseLease(name, token) {
      await db.deleteFrom("leases").where("name", "=", name).where("token", "=", token).execute();
    },
  };
}

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

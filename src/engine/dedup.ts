import type { JobName } from "../domain/job.ts";
import { soundNumbers } from "../domain/restorable.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import { makeChainPlain } from "./make-plain.ts";
import type { Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { readBack } from "./verify.ts";

export type DedupReport = {
  /** Those that lost pages, oldest first. */
  readonly changed: readonly { readonly number: number; readonly pagesDropped: number }[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

/**
 * Drops from every increment in the vault the pages that are the same in what it stands on; every point keeps the bytes of every page.
 * A take does this by itself: what is found here came in later, when a fold gave an increment pages that an older one has too.
 *
 * Packed chains are unpacked for it, and stay so until they are packed again. A crash leaves each generation as it was or without those pages; the next call goes on. Damage that is met is written down. Faults: `job-unknown`, `busy`,
 * `point-damaged`, `vault-full`, `vault-unwritable`.
 */
export async function dedup(ports: Ports, name: JobName): Promise<DedupReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "dedup", async () => {
    await reconcile(ports, await findJob(ports, name));
    // A criu whose service was killed may still be writing its dump on one of these.
    if (await ports.criu.stillDumping(name)) throw Fault.of("busy", { owner: "a criu process", job: name, verb: "dump" });
    const present = new Set(await ports.vault.sealed(name));
    const rows = (await allGenerations(ports, name)).filter((row) => present.has(row.number));
    const sound = soundNumbers(rows);
    const bytesBefore = rows.reduce((sum, row) => sum + row.bytes, 0);
    let bytesAfter = bytesBefore;
    const changed: { number: number; pagesDropped: number }[] = [];
    for (const { number, bytes, kind, state } of rows) {
      // What is consumed is full of holes that its pagemap does not tell of: written anew they would be stored as zeros.
      if (kind === "base" || state === "consumed" || !sound.has(number)) continue;
      const pagesDropped = await dedupOne(ports, name, number);
      if (pagesDropped === 0) continue;
      const row = rowOf(await ports.vault.manifest(name, number), await ports.vault.readMarks(name));
      await ports.catalogue.putGeneration(row);
      bytesAfter += row.bytes - bytes;
      changed.push({ number, pagesDropped });
    }
    return { changed, bytesBefore, bytesAfter };
  });
}

async function dedupOne(ports: Ports, name: JobName, number: number): Promise<number> {
  await makeChainPlain(ports, name, number);
  try {
    const done = await ports.vault.dedup(name, number, (bytes, total) => {
      ports.events.emit({ type: "progress", verb: "dedup", job: name, bytes, total });
    });
    return done.pagesDropped;
  } catch (error) {
    if (error instanceof Fault && error.exitStatus === damagedData) await readBack(ports, name, [number]);
    throw error;
  }
}

const damagedData = 13;

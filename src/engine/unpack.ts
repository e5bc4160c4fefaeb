import { chainBelow } from "../domain/chain-below.ts";
import type { JobName } from "../domain/job.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { makePlain } from "./make-plain.ts";
import type { Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { reconcile } from "./reconcile.ts";

export type UnpackReport = {
  /** Oldest first. */
  readonly unpacked: readonly number[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

/**
 * Makes plain CRIU directories of packed generations again: of one point with all it stands on, or of all (`null`). A crash leaves each packed or
 * unpacked, and the next call goes on. Faults: `job-unknown`, `busy`, `point-unknown`, `space-short`, `point-damaged`, `vault-full`.
 */
export async function unpack(ports: Ports, name: JobName, point: number | null): Promise<UnpackReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "unpack", async () => {
    await reconcile(ports, await findJob(ports, name));
    if (point !== null) await choosePoint(ports, name, { type: "point", number: point });
    const before = await allGenerations(ports, name);
    const unpacked = await makePlain(ports, name, point === null ? before.map(({ number }) => number) : chainBelow(point, before));
    const after = await allGenerations(ports, name);
    const bytesOf = (rows: typeof before): number =>
      rows.reduce((sum, { number, bytes }) => sum + (unpacked.includes(number) ? bytes : 0), 0);
    return { unpacked, bytesBefore: bytesOf(before), bytesAfter: bytesOf(after) };
  });
}

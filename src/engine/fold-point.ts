import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { choosePoint } from "./choose-point.ts";
import { foldOnto } from "./expire.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { reconcile } from "./reconcile.ts";

export type FoldReport = {
  readonly point: number;
  /** What it stood on; `null`: it was a base already, and nothing was changed. */
  readonly stoodOn: number | null;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

/**
 * Makes a point a base: it takes over every page that it reads from older ones, so that its restore reads one generation and the chain
 * begins anew with it. The job is not touched, the bytes of every page stay, and what stands on the point goes on standing there.
 *
 * A crash leaves the point as it was or as a base. Faults: `job-unknown`, `point-unknown`, `no-points`, `busy`, `point-damaged`,
 * `chain-broken`, `vault-full`, `vault-unwritable`.
 */
export async function foldPoint(ports: Ports, name: JobName, number: number): Promise<FoldReport> {
  await findJob(ports, name);
  return withJobLease(ports, name, "fold", async () => {
    await reconcile(ports, await findJob(ports, name));
    // A criu whose service was killed may still be writing its dump on it.
    if (await ports.criu.stillDumping(name)) throw Fault.of("busy", { owner: "a criu process", job: name, verb: "dump" });
    const { parent, bytes } = await choosePoint(ports, name, { type: "point", number });
    if (parent !== null) await foldOnto(ports, name, number, null);
    const after = (await allGenerations(ports, name)).find((one) => one.number === number);
    return { point: number, stoodOn: parent, bytesBefore: bytes, bytesAfter: after?.bytes ?? bytes };
  });
}

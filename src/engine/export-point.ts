import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import type { Target } from "../domain/target.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { withJobLease } from "./lease.ts";
import { preflightChain } from "./preflight.ts";
import type { Ports } from "./ports.ts";

export type ExportReport = {
  readonly point: Generation;
  readonly into: string;
  readonly bytes: number;
  readonly restoreOptions: readonly string[];
};

/**
 * Writes a point as a plain CRIU image directory that stands alone, with its manifest and captured files beside.
 * Faults: `job-unknown`, `point-unknown`, `point-damaged`, `chain-broken`, `directory-not-empty`.
 */
export async function exportPoint(ports: Ports, name: JobName, target: Target, into: string): Promise<ExportReport> {
  const job = await findJob(ports, name);
  return withJobLease(ports, name, "export", async () => {
    const point = await choosePoint(ports, name, target);
    const manifest = await preflightChain(ports, job, point);
    const { bytes } = await ports.vault.flatten(name, point.number, into);
    return { point, into, bytes, restoreOptions: manifest.restoreOptions };
  });
}

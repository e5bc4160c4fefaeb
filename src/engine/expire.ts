import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import { type ExpirePlan, planExpire } from "../domain/plan-expire.ts";
import { parsePolicy } from "../domain/policy.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import { mark } from "./mark.ts";
import type { Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";

export type ExpireReport = {
  readonly plan: ExpirePlan;
  readonly points: readonly Generation[];
  /** `null`: it was only asked what would happen. */
  readonly done: {
    readonly folded: number;
    readonly swept: number;
    readonly bytesBefore: number;
    readonly bytesAfter: number;
  } | null;
};

/**
 * Withdraws what the policy does not keep, gives the pages that kept points still need to the one standing on them, and deletes the rest.
 *
 * A crash after any step leaves every listed point restorable: a withdrawn generation is offered no more before a page moves, a fold is
 * one switch, and nothing is deleted while something stands on it. The next pass goes on where it stopped.
 * Faults: `job-unknown`, `busy`, `point-damaged`, `chain-broken`, `vault-full`, `vault-unwritable`.
 */
export async function expire(ports: Ports, name: JobName, zone: string, how: "plan" | "perform"): Promise<ExpireReport> {
  const job = await findJob(ports, name);
  if (how === "plan") return { plan: await planFor(ports, job, zone), points: await points(ports, name), done: null };
  return withJobLease(ports, name, "expire", async () => {
    await reconcile(ports, job);
    const plan = await planFor(ports, job, zone);
    return { plan, points: await points(ports, name), done: await perform(ports, name, plan) };
  });
}

async function planFor(ports: Ports, job: Job, zone: string): Promise<ExpirePlan> {
  const present = new Set(await ports.vault.sealed(job.name));
  const generations = (await ports.catalogue.generations(job.name)).filter((one) => present.has(one.number));
  const runs = await ports.catalogue.runs(job.name);
  return planExpire({
    generations,
    points: await points(ports, job.name),
    policy: parsePolicy(job.keep),
    zone: job.schedule?.type === "cron" ? job.schedule.zone : zone,
    restoredFrom: new Set(runs.flatMap((run) => (run.from === null ? [] : [run.from]))),
  });
}

async function perform(ports: Ports, name: JobName, plan: ExpirePlan): Promise<NonNullable<ExpireReport["done"]>> {
  const { catalogue } = ports;
  const bytesBefore = await bytesOf(ports, name);
  for (const { number, reason } of plan.expired) await mark(ports, name, number, { state: "expired", reason });
  for (const { number, parent } of plan.folds) await foldOnto(ports, name, number, parent);
  for (const number of plan.sweeps) {
    await ports.vault.remove(name, number);
    await catalogue.markGeneration(name, number, { state: "expired" });
  }
  return { folded: plan.folds.length, swept: plan.sweeps.length, bytesBefore, bytesAfter: await bytesOf(ports, name) };
}

/** Makes a generation stand on `parent` (or on nothing), with the same bytes on every page; its row follows. */
export async function foldOnto(ports: Ports, name: JobName, number: number, parent: number | null): Promise<void> {
  await ports.vault.fold(name, number, parent, (bytes, total) => {
    ports.events.emit({ type: "progress", verb: "fold", job: name, bytes, total });
  });
  const marks = await ports.vault.readMarks(name);
  await ports.catalogue.putGeneration(rowOf(await ports.vault.manifest(name, number), marks));
}

async function bytesOf(ports: Ports, name: JobName): Promise<number> {
  const present = new Set(await ports.vault.sealed(name));
  return (await ports.catalogue.generations(name))
    .filter((one) => present.has(one.number))
    .reduce((sum, one) => sum + one.bytes, 0);
}

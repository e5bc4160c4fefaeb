import type { Generation } from "../domain/generation.ts";
import type { Job, JobName } from "../domain/job.ts";
import { type ExpirePlan, planExpire } from "../domain/plan-expire.ts";
import { parsePolicy } from "../domain/policy.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { withJobLease } from "./lease.ts";
import type { Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { readBack } from "./verify.ts";

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
 * Gives the pages that kept points still need of what the policy does not keep to the one standing on it, withdraws what goes, and deletes it.
 *
 * A crash after any step leaves every listed point restorable: a fold is one switch and touches kept points alone, nothing is withdrawn
 * before all folds are done, and nothing is deleted that is still offered or stood on. The next pass goes on where it stopped. Damage
 * that a fold meets is written down, and then nothing is withdrawn: the next pass chooses among what is still sound.
 * Faults: `job-unknown`, `busy`, `point-damaged`, `chain-broken`, `vault-full`, `vault-unwritable`.
 */
export async function expire(ports: Ports, name: JobName, zone: string, how: "plan" | "perform"): Promise<ExpireReport> {
  const job = await findJob(ports, name);
  if (how === "plan") return { plan: await planFor(ports, job, zone), points: await points(ports, name), done: null };
  return withJobLease(ports, name, "expire", async () => {
    await reconcile(ports, job);
    // A criu whose service was killed may still be writing its dump on one of these.
    if (await ports.criu.stillDumping(name)) throw Fault.of("busy", { owner: "a criu process", job: name, verb: "dump" });
    const plan = await planFor(ports, await findJob(ports, name), zone);
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
  const bytesBefore = await bytesOf(ports, name);
  for (const { number, parent } of plan.folds) await foldOnto(ports, name, number, parent);
  await withdraw(ports, name, plan.expired);
  for (const number of plan.sweeps) await ports.vault.remove(name, number);
  if (plan.sweeps.length > 0) await dropMarks(ports, name);
  return { folded: plan.folds.length, swept: plan.sweeps.length, bytesBefore, bytesAfter: await bytesOf(ports, name) };
}

/** Makes a generation stand on `parent` (or on nothing), with the same bytes on every page; its row follows. */
export async function foldOnto(ports: Ports, name: JobName, number: number, parent: number | null): Promise<void> {
  try {
    await ports.vault.fold(name, number, parent, (bytes, total) => {
      ports.events.emit({ type: "progress", verb: "fold", job: name, bytes, total });
    });
  } catch (error) {
    if (error instanceof Fault && error.exitStatus === damagedData) await readBack(ports, name, [number]);
    throw error;
  }
  const marks = await ports.vault.readMarks(name);
  await ports.catalogue.putGeneration(rowOf(await ports.vault.manifest(name, number), marks));
}

const damagedData = 13;

/** As `mark` does, but in one write: there may be hundreds. */
async function withdraw(ports: Ports, name: JobName, expired: ExpirePlan["expired"]): Promise<void> {
  if (expired.length === 0) return;
  const marks = await ports.vault.readMarks(name);
  const said = expired.map(({ number, reason }) => [number, { ...marks[String(number)], state: "expired", reason }] as const);
  await ports.vault.writeMarks(name, { ...marks, ...Object.fromEntries(said) });
  for (const { number, reason } of expired) await ports.catalogue.markGeneration(name, number, { state: "expired", reason });
}

/** What was said of generations that are gone; else the file of marks would grow for ever. The catalogue still tells why they went. */
async function dropMarks(ports: Ports, name: JobName): Promise<void> {
  const present = new Set((await ports.vault.sealed(name)).map(String));
  const marks = Object.entries(await ports.vault.readMarks(name));
  const left = marks.filter(([number, said]) => said.state !== "expired" || present.has(number));
  if (left.length < marks.length) await ports.vault.writeMarks(name, Object.fromEntries(left));
}

async function bytesOf(ports: Ports, name: JobName): Promise<number> {
  const present = new Set(await ports.vault.sealed(name));
  return (await ports.catalogue.generations(name))
    .filter((one) => present.has(one.number))
    .reduce((sum, one) => sum + one.bytes, 0);
}

import type { Job, JobName } from "../domain/job.ts";
import { planPack, type PackPlan } from "../domain/plan-pack.ts";
import { Fault } from "../faults/fault.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { type HeldLease, withJobLease } from "./lease.ts";
import { observe } from "./observe.ts";
import { type Budget, paceUnder } from "./pace.ts";
import type { Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { readBack } from "./verify.ts";

export type PackRequest = {
  /** This one, whatever its age; `null`: all that are older than `after`. */
  readonly point: number | null;
  /** Milliseconds. */
  readonly after: number;
};

export type PackReport = {
  readonly plan: PackPlan;
  /** What was done; `null`: it was only asked what would happen. */
  readonly done: readonly PackedOne[] | null;
};

export type PackedOne = { readonly number: number; readonly bytesBefore: number; readonly bytesAfter: number };

/**
 * Packs generations that nobody is about to read into one file each; every one of them stays a point. A crash leaves each as it was or packed,
 * and the next call goes on. Damage that is met is written down, and such a one is not packed.
 *
 * With a budget it is the service's own work: it keeps within it, and gives way after each generation if somebody waits for the job; its turn
 * comes again. Faults: `job-unknown`, `busy`, `point-unknown`, `pack-hot`, `point-damaged`, `vault-full`, `vault-unwritable`.
 */
export async function pack(
  ports: Ports,
  name: JobName,
  request: PackRequest,
  how: "plan" | "perform",
  budget: Budget | null = null,
): Promise<PackReport> {
  const job = await findJob(ports, name);
  if (how === "plan") return { plan: await planFor(ports, job, request), done: null };
  const act = async (held: HeldLease): Promise<PackReport> => {
    await reconcile(ports, await findJob(ports, name));
    // A criu whose service was killed may still be reading one of these.
    if (await ports.criu.stillDumping(name)) throw Fault.of("busy", { owner: "a criu process", job: name, verb: "dump" });
    const plan = await planFor(ports, await findJob(ports, name), request);
    const done: PackedOne[] = [];
    for (const { number } of plan.pack) {
      done.push(await packOne(ports, name, number, paceUnder(ports, budget, held)));
      if (budget !== null && (await held.isWanted())) break;
    }
    return { plan, done };
  };
  return withJobLease(ports, name, "pack", act, budget === null ? "patient" : "unasked");
}

async function planFor(ports: Ports, job: Job, { point, after }: PackRequest): Promise<PackPlan> {
  const { vault, clock } = ports;
  // Says what is wrong with one that is not to be had.
  if (point !== null) await choosePoint(ports, job.name, { type: "point", number: point });
  const present = new Set(await vault.sealed(job.name));
  const { state, run } = await observe(ports, job);
  const plan = planPack(
    {
      generations: (await allGenerations(ports, job.name)).filter(({ number }) => present.has(number)),
      state,
      bits: (await vault.readHead(job.name)).bits,
      restoredFrom: run?.from ?? null,
      after,
      wanted: point,
    },
    clock.now(),
  );
  if (point !== null && plan.left.some(({ isHot }) => isHot)) throw Fault.of("pack-hot", { point, job: job.name });
  return plan;
}

async function packOne(ports: Ports, name: JobName, number: number, pace: ReturnType<typeof paceUnder>): Promise<PackedOne> {
  const { vault, catalogue } = ports;
  const marks = await vault.readMarks(name);
  const { bytes: bytesBefore } = rowOf(await vault.manifest(name, number), marks);
  const progress = (bytes: number, total: number): void =>
    ports.events.emit({ type: "progress", verb: "pack", job: name, bytes, total });
  try {
    await vault.pack(name, number, progress, pace);
  } catch (error) {
    if (error instanceof Fault && error.exitStatus === damagedData) await readBack(ports, name, [number], pace);
    throw error;
  }
  const row = rowOf(await vault.manifest(name, number), marks);
  await catalogue.putGeneration(row);
  return { number, bytesBefore, bytesAfter: row.bytes };
}

const damagedData = 13;

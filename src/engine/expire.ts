import { chainBelow } from "../domain/chain-below.ts";
import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import type { ExpirePlan } from "../domain/plan-expire.ts";
import { Fault } from "../faults/fault.ts";
import { findJob } from "./find-job.ts";
import { rowOf } from "./generation-of.ts";
import { type Asking, type HeldLease, withJobLease } from "./lease.ts";
import { makePlain } from "./make-plain.ts";
import { type Budget, paceUnder } from "./pace.ts";
import { planExpiry } from "./plan-expiry.ts";
import type { Pace, Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { reconcile } from "./reconcile.ts";
import { standing } from "./standing.ts";
import { readBack } from "./verify.ts";
import { dropMarks, withdraw } from "./withdraw.ts";

export type ExpireReport = {
  /** Of what was done, if something was. */
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
 *
 * With a budget it is the service's own work: it keeps within it, and if somebody waits for the job it lets them come in between two
 * steps, and then plans anew; as often at most as its first plan has steps. It waits for whatever is at work on the job, the next take too: so takes in close
 * succession can keep it neither from its beginning nor from its end.
 * Faults: `job-unknown`, `busy`, `point-damaged`, `chain-broken`, `vault-full`, `vault-unwritable`.
 */
export async function expire(
  ports: Ports,
  name: JobName,
  zone: string,
  how: "plan" | "perform",
  budget: Budget | null = null,
): Promise<ExpireReport> {
  const job = await findJob(ports, name);
  if (how === "plan") return { ...(await planExpiry(ports, job, zone)), done: null };
  const rounds: Round[] = [];
  const act = (held: HeldLease): Promise<Round> => {
    const mayGiveWay = budget !== null && rounds.length < (rounds[0]?.steps ?? Infinity);
    return actOnce(ports, name, zone, {
      pace: paceUnder(ports, budget, held),
      mustGiveWay: async () => mayGiveWay && held.isWanted(),
    });
  };
  const asking: Asking = budget === null ? "patient" : "resuming";
  while (rounds.at(-1)?.isWhole !== true) rounds.push(await withJobLease(ports, name, "expire", act, asking));
  return together(rounds);
}

/** What was done while the lease was held once. */
type Round = {
  /** Without the steps that it did not come to. */
  readonly plan: ExpirePlan;
  /** With them. */
  readonly steps: number;
  readonly isWhole: boolean;
  readonly points: readonly Generation[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
};

async function actOnce(ports: Ports, name: JobName, zone: string, manner: Manner): Promise<Round> {
  await reconcile(ports, await findJob(ports, name));
  // A criu whose service was killed may still be writing its dump on one of these.
  if (await ports.criu.stillDumping(name)) throw Fault.of("busy", { owner: "a criu process", job: name, verb: "dump" });
  const { plan, points } = await planExpiry(ports, await findJob(ports, name), zone);
  const bytesBefore = await bytesOf(ports, name);
  const done = await perform(ports, name, plan, manner);
  const steps = plan.folds.length + plan.sweeps.length;
  return { ...done, steps, points, bytesBefore, bytesAfter: await bytesOf(ports, name) };
}

/** What others took in between is no growth of ours: only what the rounds freed counts. */
function together(rounds: readonly Round[]): ExpireReport {
  const last = rounds.at(-1);
  if (last === undefined) throw new Error("there is at least one round");
  const expired = rounds.flatMap(({ plan }) => plan.expired);
  const [folds, sweeps] = [rounds.flatMap(({ plan }) => plan.folds), rounds.flatMap(({ plan }) => plan.sweeps)];
  const freed = rounds.reduce((sum, { bytesBefore, bytesAfter }) => sum + bytesBefore - bytesAfter, 0);
  const { bytesAfter } = last;
  return {
    plan: { ...last.plan, expired, folds, sweeps },
    points: [...new Map(rounds.flatMap((round) => round.points.map((one) => [one.number, one]))).values()],
    done: { folded: folds.length, swept: sweeps.length, bytesBefore: bytesAfter + freed, bytesAfter },
  };
}

type Manner = { readonly pace: Pace | undefined; readonly mustGiveWay: () => Promise<boolean> };

/** Step by step, up to the first after which it must give way. */
async function perform(
  ports: Ports,
  name: JobName,
  plan: ExpirePlan,
  { pace, mustGiveWay }: Manner,
): Promise<Pick<Round, "plan" | "isWhole">> {
  for (const [place, { number, parent }] of plan.folds.entries()) {
    await foldOnto(ports, name, number, parent, pace);
    const folds = plan.folds.slice(0, place + 1);
    if (await mustGiveWay()) return { plan: { ...plan, folds, expired: [], sweeps: [] }, isWhole: false };
  }
  await withdraw(ports, name, plan.expired);
  for (const [place, number] of plan.sweeps.entries()) {
    await ports.vault.remove(name, number);
    const sweeps = plan.sweeps.slice(0, place + 1);
    if (sweeps.length < plan.sweeps.length && (await mustGiveWay())) return { plan: { ...plan, sweeps }, isWhole: false };
  }
  if (plan.sweeps.length > 0) await dropMarks(ports, name);
  return { plan, isWhole: true };
}

/** Makes a generation stand on `parent` (or on nothing), with the same bytes on every page; its row follows. What of it is packed is unpacked first. */
export async function foldOnto(ports: Ports, name: JobName, number: number, parent: number | null, pace?: Pace): Promise<void> {
  const progress = (bytes: number, total: number): void =>
    ports.events.emit({ type: "progress", verb: "fold", job: name, bytes, total });
  const chain = chainBelow(number, await allGenerations(ports, name));
  await makePlain(ports, name, parent === null ? chain : chain.slice(0, chain.indexOf(parent)), pace);
  try {
    await ports.vault.fold(name, number, parent, progress, pace);
  } catch (error) {
    if (error instanceof Fault && error.exitStatus === damagedData) await readBack(ports, name, [number], pace);
    throw error;
  }
  const marks = await ports.vault.readMarks(name);
  await ports.catalogue.putGeneration(rowOf(await ports.vault.manifest(name, number), marks));
}

const damagedData = 13;

async function bytesOf(ports: Ports, name: JobName): Promise<number> {
  return (await standing(ports, name)).present.reduce((sum, one) => sum + one.bytes, 0);
}

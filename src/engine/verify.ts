import type { Capture } from "../domain/captured.ts";
import { chainBelow } from "../domain/chain-below.ts";
import type { JobName } from "../domain/job.ts";
import { type OutsideFiles, outsideFiles } from "../domain/outside-files.ts";
import { choosePoint } from "./choose-point.ts";
import { findJob } from "./find-job.ts";
import { type HeldLease, withJobLease } from "./lease.ts";
import { markDamaged } from "./mark-damaged.ts";
import { type Budget, paceUnder } from "./pace.ts";
import type { Damage, Pace, Ports, ReadBack, Reading } from "./ports.ts";
import { allGenerations, points } from "./queries.ts";
import { reconcile } from "./reconcile.ts";

export type VerifyReport = ReadBack & {
  readonly job: JobName;
  /** Points of which every page was looked for, oldest first. */
  readonly checked: readonly number[];
  /** What those that are whole need besides, and no look at the vault can answer for. */
  readonly outside: OutsideFiles;
};

const everything: Reading = { share: 1, seed: "" };

/**
 * Reads points (all, or one with those below it) back against their manifests, and finds every page of each through its chain. `share`: how much of
 * the bytes of pages and captured files is read, 0 to 1; all else is always checked. Damage is written down: that generation is `damaged`,
 * and what stands on it is offered no more. Nothing is deleted; the next take makes a base. A crash leaves nothing but the work undone.
 * Faults: `job-unknown`, `point-unknown`, `busy`.
 */
export async function verify(ports: Ports, name: JobName, number: number | null, share = 1): Promise<VerifyReport> {
  return verifyThose(ports, name, share, async () => {
    const offered = (await points(ports, name)).map((one) => one.number);
    if (number === null) return offered;
    const point = await choosePoint(ports, name, { type: "point", number });
    const below = chainBelow(point.number, await allGenerations(ports, name));
    return offered.filter((one) => below.includes(one));
  });
}

/**
 * The same for points that the service chose by itself, within its budget; those that are offered no more are passed over. It gives up at once
 * (`busy`) if another is at work on the job.
 */
export async function verifyPoints(ports: Ports, name: JobName, numbers: readonly number[], budget: Budget): Promise<VerifyReport> {
  const choose = async (): Promise<readonly number[]> => {
    const offered = (await points(ports, name)).map((one) => one.number);
    return offered.filter((one) => numbers.includes(one));
  };
  return verifyThose(ports, name, 1, choose, budget);
}

async function verifyThose(
  ports: Ports,
  name: JobName,
  share: number,
  choose: () => Promise<readonly number[]>,
  budget: Budget | null = null,
): Promise<VerifyReport> {
  await findJob(ports, name);
  const act = async (held: HeldLease): Promise<VerifyReport> => {
    // Nothing else may need these before they are the only ones left.
    await ports.vault.readJob(name);
    await ports.vault.runs(name);
    const lost = (await reconcile(ports, await findJob(ports, name))).damage;
    const checked = await choose();
    const reading = { share, seed: ports.ids.random() };
    const found = await readAndMark(ports, name, checked, reading, paceUnder(ports, budget, held));
    return { job: name, checked, ...found, damage: [...lost, ...found.damage], outside: await outsideOf(ports, name, checked) };
  };
  return withJobLease(ports, name, "verify", act, budget === null ? "patient" : "unasked");
}

/** Reads these points back, all of them whole, for a caller that holds the job's lease; writes down and gives the damage found. */
export async function readBack(ports: Ports, name: JobName, numbers: readonly number[], pace?: Pace): Promise<readonly Damage[]> {
  return (await readAndMark(ports, name, numbers, everything, pace)).damage;
}

async function readAndMark(
  ports: Ports,
  name: JobName,
  numbers: readonly number[],
  reading: Reading,
  pace?: Pace,
): Promise<ReadBack> {
  const progress = (bytes: number, total: number): void =>
    ports.events.emit({ type: "progress", verb: "verify", job: name, bytes, total });
  const found = await ports.vault.verifyChains(name, numbers, reading, progress, pace);
  await markDamaged(ports, name, found.damage);
  return found;
}

async function outsideOf(ports: Ports, name: JobName, numbers: readonly number[]): Promise<OutsideFiles> {
  const whole = (await points(ports, name)).filter(({ number }) => numbers.includes(number));
  const captures: Capture[] = [];
  for (const { number } of whole) captures.push((await ports.vault.manifest(name, number)).capture);
  return outsideFiles(captures);
}

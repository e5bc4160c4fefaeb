import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import { soundNumbers } from "../domain/restorable.ts";
import { chooseTarget, type Target } from "../domain/target.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";
import { allGenerations, points } from "./queries.ts";

/**
 * The restore point that is meant; by its number also one that has failed before. One that is there and may not be offered is said to be
 * damaged, not unknown.
 * Faults: those of `chooseTarget`, `point-damaged` and `chain-broken`.
 */
export async function choosePoint(ports: Ports, name: JobName, target: Target): Promise<Generation> {
  const offered = await points(ports, name);
  if (target.type === "point" && !offered.some((point) => point.number === target.number)) {
    const known = (await allGenerations(ports, name)).find((one) => one.number === target.number);
    if (known && (await isWholeAllTheSame(ports, known))) return chooseTarget([...offered, known], target, name);
    if (known && known.state !== "expired" && known.state !== "consumed") throw damaged(known, offered);
  }
  return chooseTarget(offered, target, name);
}

/** One that did not come back is not offered; who asks for it by its number may try again. */
async function isWholeAllTheSame(ports: Ports, { job, number, state }: Generation): Promise<boolean> {
  if (state !== "failed") return false;
  const present = new Set(await ports.vault.sealed(job));
  const there = (await allGenerations(ports, job)).filter((one) => present.has(one.number));
  return soundNumbers(there).has(number);
}

function damaged(known: Generation, offered: readonly Generation[]): Fault {
  const good = offered.filter((point) => point.number < known.number).at(-1) ?? offered.at(-1);
  const extra = good ? { stillGood: `newest point still good: #${offered.at(-1)?.number}` } : {};
  if (known.state === "sealed" && known.parent !== null) {
    const broken = {
      point: known.number,
      job: known.job,
      parent: `#${known.parent}`,
      why: "damaged or gone, or stands on one that is",
    };
    return Fault.of("chain-broken", broken, extra);
  }
  return Fault.of("point-damaged", { point: known.number, job: known.job, why: known.reason, other: good?.number ?? "N" }, extra);
}

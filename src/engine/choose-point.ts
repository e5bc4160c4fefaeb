import type { Generation } from "../domain/generation.ts";
import type { JobName } from "../domain/job.ts";
import { chooseTarget, type Target } from "../domain/target.ts";
import { Fault } from "../faults/fault.ts";
import type { Ports } from "./ports.ts";
import { allGenerations, points } from "./queries.ts";

/**
 * The restore point that is meant. One that is there and may not be offered is said to be damaged, not unknown.
 * Faults: those of `chooseTarget`, and `point-damaged`.
 */
export async function choosePoint(ports: Ports, name: JobName, target: Target): Promise<Generation> {
  const offered = await points(ports, name);
  if (target.type === "point" && !offered.some((point) => point.number === target.number)) {
    const known = (await allGenerations(ports, name)).find((one) => one.number === target.number);
    if (known && known.state !== "expired") throw damaged(known, offered);
  }
  return chooseTarget(offered, target, name);
}

function damaged(known: Generation, offered: readonly Generation[]): Fault {
  const good = offered.filter((point) => point.number < known.number).at(-1) ?? offered.at(-1);
  const why = known.state === "sealed" ? "one that it stands on is damaged or gone" : known.reason;
  const extra = good ? { stillGood: `newest point still good: #${offered.at(-1)?.number}` } : {};
  return Fault.of("point-damaged", { point: known.number, job: known.job, why, other: good?.number ?? "N" }, extra);
}

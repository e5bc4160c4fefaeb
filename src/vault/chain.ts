import type { JobName } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import type { Damage } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { generationManifest } from "./generation-files.ts";
import { damageOf } from "./pages-damage.ts";
import { MANIFEST } from "./paths.ts";
import type { Room } from "./room.ts";

/** A generation and all it stands on, itself first, as far as it could be read; `broken` tells where it could not. */
export type Chain = { readonly members: readonly Manifest[]; readonly broken: ChainBreak | null };

export type ChainBreak = { readonly damage: Damage; readonly fault: Fault };

/** The manifests down to the base. Faults: that of {@link readChain}'s break, `point-unknown`, `vault-newer`. */
export async function chainOf(room: Room, key: Buffer, name: JobName, number: number): Promise<readonly Manifest[]> {
  const { members, broken } = await readChain(room, key, name, number);
  if (broken !== null) throw broken.fault;
  return members;
}

/**
 * The manifests down to the base, each checked, and each the very one its child was made on; ends at the first that is not
 * there or cannot be believed. Faults: `point-unknown` for the generation itself, `vault-newer`.
 */
export async function readChain(
  room: Room,
  key: Buffer,
  name: JobName,
  number: number,
  read: ReadManifest = (wanted) => generationManifest(room, key, name, wanted),
): Promise<Chain> {
  const members: Manifest[] = [];
  for (let next: Manifest["parent"] = { number, id: "" }; next !== null;) {
    const child = members.at(-1);
    const found = await memberOf(read, next, child);
    if ("fault" in found) return { members, broken: found };
    members.push(found);
    next = found.parent;
  }
  return { members, broken: null };
}

/** The same for several generations of a job; each manifest is read once, however many stand on it. */
export async function readChains(room: Room, key: Buffer, name: JobName, numbers: readonly number[]): Promise<readonly Chain[]> {
  const seen = new Map<number, Promise<Manifest>>();
  const read: ReadManifest = (wanted) => {
    const found = seen.get(wanted) ?? generationManifest(room, key, name, wanted);
    seen.set(wanted, found);
    return found;
  };
  const chains: Chain[] = [];
  for (const number of numbers) chains.push(await readChain(room, key, name, number, read));
  return chains;
}

type ReadManifest = (number: number) => Promise<Manifest>;

async function memberOf(
  read: ReadManifest,
  wanted: NonNullable<Manifest["parent"]>,
  child: Manifest | undefined,
): Promise<Manifest | ChainBreak> {
  // Numbers only rise; this also ends a ring.
  if (child !== undefined && wanted.number >= child.number)
    return brokenAt(child.number, child, wanted.number, "not older than itself");
  try {
    const manifest = await read(wanted.number);
    if (child === undefined || manifest.id === wanted.id) return manifest;
    return brokenAt(child.number, child, wanted.number, "not the generation it was made on");
  } catch (fault) {
    if (!(fault instanceof Fault)) {
      const why = damageOf(fault);
      if (why === null) throw fault;
      const broken = Fault.of("vault-file-damaged", { file: `${MANIFEST} of point ${wanted.number}`, why }, { cause: fault });
      return { damage: { number: wanted.number, file: MANIFEST, why }, fault: broken };
    }
    if (fault.code === "point-unknown" && child !== undefined) return brokenAt(wanted.number, child, wanted.number, "not there");
    if (!UNBELIEVED.has(fault.code)) throw fault;
    return { damage: { number: wanted.number, file: MANIFEST, why: fault.message }, fault };
  }
}

const UNBELIEVED: ReadonlySet<string> = new Set(["manifest-forged", "vault-file-damaged", "point-damaged"]);

function brokenAt(number: number, child: Manifest, parent: number, why: string): ChainBreak {
  const fault = Fault.of("chain-broken", { point: child.number, job: child.job, parent: `#${parent}`, why });
  return { damage: { number, file: MANIFEST, why: number === parent ? `it is ${why}` : fault.message }, fault };
}

import type { Damage } from "../engine/ports.ts";
import { isPagemapName } from "../images/image-names.ts";
import { planFlatten } from "../images/page-plan.ts";
import type { Pagemap } from "../images/pagemap.ts";
import type { SealedFolder } from "./pages-check.ts";
import { damageOf } from "./pages-damage.ts";
import { readLine } from "./pages-folder.ts";
import { describeHole } from "./pages-holes.ts";
import { PACK } from "./paths.ts";

/** Names what was found wrong with a file of a generation, or (`.`) with all of it. */
export function damageKey(number: number, file: string): string {
  return `${number}/${file}`;
}

/**
 * That every page of the first generation of each chain is held by somebody in it, from the pagemaps alone. `known`: what was found wrong
 * before, by {@link damageKey}; a memory that reads from one of these is passed over, since it is lost with that, and whole again with it.
 * Pagemaps of the chains over one base are held at once, one memory after the other.
 */
export async function checkPages(
  chains: readonly (readonly SealedFolder[])[],
  known: ReadonlySet<string>,
): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  const lost = new Set(known);
  for (const group of Map.groupBy(chains, (chain) => chain.at(-1)?.number).values()) {
    const oldestFirst = group.toSorted(([a], [b]) => (a?.number ?? 0) - (b?.number ?? 0));
    const names = new Set(group.flatMap(([head]) => Object.keys(head?.digests ?? {}).filter(isPagemapName)));
    for (const name of names) {
      const seen = new Map<string, Pagemap | null>();
      for (const chain of oldestFirst) {
        const [head] = chain;
        if (head?.digests[name] === undefined || chain.some(({ number }) => isLost(lost, number, name))) continue;
        const why = await unheld(chain, name, seen);
        if (why === null) continue;
        damage.push({ number: head.number, file: name, why });
        lost.add(damageKey(head.number, name));
      }
    }
  }
  return damage;
}

function isLost(lost: ReadonlySet<string>, number: number, name: string): boolean {
  return [name, ".", PACK].some((file) => lost.has(damageKey(number, file)));
}

/** The first pages of a memory that nobody in the chain holds, in words; `null`: all are held. */
async function unheld(chain: readonly SealedFolder[], name: string, seen: Map<string, Pagemap | null>): Promise<string | null> {
  const folders = chain.map(({ folder }) => folder);
  try {
    for (const piece of planFlatten(await readLine(folders, name, seen)))
      if (piece.what === "held" && piece.by.type === "hole") return describeHole(piece.by);
  } catch (error) {
    // A pagemap that cannot be read is told of where it lies.
    if (damageOf(error) === null) throw error;
  }
  return null;
}

import path from "node:path";
import type { PageUse } from "../engine/ports.ts";
import { isPagemapName } from "../images/image-names.ts";
import { malformed } from "../images/malformed.ts";
import { PAGE } from "../images/pagemap.ts";
import { planFlatten } from "../images/page-plan.ts";
import type { SealedFolder } from "./pages-check.ts";
import { readLine } from "./pages-folder.ts";
import { describeHole } from "./pages-holes.ts";

/**
 * Whose pages a generation reads: bytes by the number of the generation that holds them, itself included. Sums over the pagemaps of its chain
 * (the generation, its parent, and so on to the base); no page is read. Faults: `image-malformed`, also for a page that nobody holds.
 */
export async function pageUse(chain: readonly SealedFolder[]): Promise<PageUse> {
  const held = new Map<number, number>();
  const folders = chain.map(({ folder }) => folder);
  for (const name of Object.keys(chain[0]?.digests ?? {}).filter(isPagemapName)) {
    for (const piece of planFlatten(await readLine(folders, name))) {
      if (piece.what === "held" && piece.by.type === "hole")
        throw malformed(path.join(folders[0] ?? "", name), describeHole(piece.by));
      if (piece.what !== "bytes") continue;
      const number = chain[piece.at.holder]?.number ?? 0;
      held.set(number, (held.get(number) ?? 0) + piece.pages * PAGE);
    }
  }
  return held;
}

import { entriesOf, IN_PARENT, PRESENT } from "./pagemap.ts";
import type { Piece } from "./page-plan.ts";
import { type Line, Lookup } from "./resolve.ts";

/**
 * What there is to do to make a generation stand on an ancestor: of each page that its pagemap lists, whether it keeps or takes over the
 * bytes (`bytes`: held by itself, or by one strictly between the two), or leaves them to the ancestor as before (`held`).
 * `parent`: the ancestor's place in the line (1: the present parent); `Infinity`: it is to stand on nothing, and takes over all.
 */
export function* planFold(line: Line, parent: number): Generator<Piece, void> {
  const lookup = new Lookup(line);
  let entry = 0;
  const [own] = line.maps;
  if (own === undefined) return;
  for (const { page, pages, flags } of entriesOf(own)) {
    if ((flags & (IN_PARENT | PRESENT)) === 0) yield { entry, flags, page, pages, what: "nothing" };
    else {
      for (const by of lookup.find(page, pages, 0)) {
        const range = { entry, flags, page: by.page, pages: by.pages };
        if (by.type === "extent" && by.holder < parent) yield { ...range, what: "bytes", at: by, other: null, blank: false };
        else yield { ...range, what: "held", by };
      }
    }
    entry++;
  }
}

import { malformed } from "../images/malformed.ts";
import { address, PAGE } from "../images/pagemap.ts";
import type { Piece } from "../images/page-plan.ts";
import type { Hole } from "../images/resolve.ts";
import type { PagesReader } from "./pages-read.ts";

const reasons: Readonly<Record<Hole["reason"], string>> = {
  "no-parent": "there is no parent",
  "no-pagemap": "it has no such memory",
  "not-listed": "it does not have them",
  "no-bytes": "it has them without content",
};

/** In words: which pages are nowhere, and why. `generationsUp`, the hole's `holder`, counts from the one whose pagemap this is. */
export function describeHole({ page, pages, holder, reason }: Hole): string {
  return `${pages} pages at ${address(page)} are left to the generation ${holder} before it, and ${reasons[reason]}`;
}

/**
 * Watches over the pages of a plan that are left to parents and not read: each must be there. Without this a restore would read
 * other pages in their place, or spin for ever.
 */
export class HeldPages {
  readonly #file: string;
  readonly #ends = new Map<number, number>();

  /** `file`: the pagemap, for the fault. */
  constructor(file: string) {
    this.#file = file;
  }

  /** Faults: `image-malformed` for a page that nobody holds. */
  note(piece: Piece): void {
    if (piece.what !== "held") return;
    const { by } = piece;
    if (by.type === "hole") throw malformed(this.#file, describeHole(by));
    this.#ends.set(by.holder, Math.max(this.#ends.get(by.holder) ?? 0, (by.offset + by.pages) * PAGE));
  }

  /** Faults: `image-malformed` for a pages file that is too short for what was noted. */
  async check(reader: PagesReader): Promise<void> {
    for (const [holder, end] of this.#ends) await reader.require(holder, end);
  }
}

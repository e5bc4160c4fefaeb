import { PAGE } from "../images/pagemap.ts";
import type { Piece } from "../images/page-plan.ts";
import { type PagesReader, Scratch, type Wanted } from "./pages-read.ts";

const ZEROS = Buffer.alloc(PAGE);

/** Is the page that begins there full of zeros? */
export function isBlank(bytes: Buffer, begin: number): boolean {
  // Most pages that are not end the question here, at a tenth of the price of a call.
  if (bytes[begin] !== 0 || bytes[begin + PAGE - 1] !== 0) return false;
  return bytes.compare(ZEROS, 0, PAGE, begin, begin + PAGE) === 0;
}

/** Of at most so many pages, spread evenly. */
const SAMPLE = 256;

/** Below this share of zero pages a pages file is moved as it is: writing all of it anew would cost more than it saves. */
const WORTH = 1 / 32;

/** From a sample: does a pages file hold so many zero pages that may be left out that it is worth being written anew? */
export async function isWorthLeavingOut(plan: Iterable<Piece>, reader: PagesReader): Promise<boolean> {
  const ranges: { readonly offset: number; readonly pages: number }[] = [];
  let [candidates, all] = [0, 0];
  for (const piece of plan) {
    if (piece.what !== "bytes") continue;
    all += piece.pages;
    if (!piece.blank) continue;
    ranges.push({ offset: piece.at.offset, pages: piece.pages });
    candidates += piece.pages;
  }
  const count = Math.min(SAMPLE, candidates);
  if (count === 0) return false;
  const wanted: Wanted[] = [];
  let [passed, i] = [0, 0];
  for (let n = 0; n < count; n++) {
    const at = Math.floor((n * candidates) / count);
    for (; at >= passed + (ranges[i]?.pages ?? Infinity); i++) passed += ranges[i]?.pages ?? 0;
    wanted.push({ source: 0, offset: ((ranges[i]?.offset ?? 0) + at - passed) * PAGE, bytes: PAGE });
  }
  const pages = await reader.read(wanted, new Scratch());
  const blank = pages.filter((page) => isBlank(page, 0)).length;
  return (blank / count) * (candidates / all) >= WORTH;
}

import type { PageRange } from "./mm.ts";
import { entriesOf, type Pagemap } from "./pagemap.ts";

/**
 * The first page that lies in none of `areas` (in order, touching ones joined): a restore would refuse it ("outside of VMA").
 * `null` if there is none.
 */
export function strayPage(pagemap: Pagemap, areas: readonly PageRange[]): number | null {
  let i = 0;
  for (const { page, pages } of entriesOf(pagemap)) {
    let area = areas[i];
    while (area !== undefined && area.page + area.pages <= page) area = areas[++i];
    if (area === undefined || page < area.page) return page;
    if (page + pages > area.page + area.pages) return area.page + area.pages;
  }
  return null;
}

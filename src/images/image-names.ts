/** Is this the list of a memory's pages: one process's private memory, or one shared object? (CRIU: image-desc.c) */
export function isPagemapName(name: string): boolean {
  return /^pagemap-(shmem-)?\d+\.img$/.test(name);
}

/** The file with the pages' bytes; `id` is the `pagesId` of the pagemap, not a pid. */
export function pagesName(id: number): string {
  return `pages-${id}.img`;
}

/** The image with the VMAs of the process whose private pages this pagemap lists; `null` for a shared object. */
export function mmNameOf(pagemapName: string): string | null {
  const pid = /^pagemap-(\d+)\.img$/.exec(pagemapName)?.[1];
  return pid === undefined ? null : `mm-${pid}.img`;
}

/** The link by which CRIU finds the generation that holds the pages marked as the parent's. */
export const PARENT_LINK = "parent";

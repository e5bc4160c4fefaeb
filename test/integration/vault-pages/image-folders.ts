import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { FileDigests } from "../../../src/domain/manifest.ts";
import { mmNameOf, pagesName } from "../../../src/images/image-names.ts";
import {
  entriesOf,
  IN_PARENT,
  type PageEntry,
  PAGE,
  pagemapOf,
  PRESENT,
  readPagemap,
  writePagemap,
} from "../../../src/images/pagemap.ts";
import { inventoryImage, message, mmImage, pstreeImage } from "../../unit/images/encode.ts";

/** One memory of a dump made up for a test. `bytes`: of its PRESENT entries, in order. */
export type Memory = {
  readonly name: string;
  readonly pagesId: number;
  readonly entries: readonly PageEntry[];
  readonly bytes: Buffer;
};

export async function scratchFolder(): Promise<string> {
  return mkdtemp(path.join(os.tmpdir(), "holdfast-pages-"));
}

/** Writes an image folder as CRIU would: the memories, and the small images that go with them. */
export async function writeDump(folder: string, memories: readonly Memory[], areas = [{ page: 0, pages: 2 ** 40 }]): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  const put = (name: string, bytes: Uint8Array): Promise<void> => writeFile(path.join(folder, name), bytes);
  for (const { name, pagesId, entries, bytes } of memories) {
    await put(name, writePagemap(pagemapOf(pagesId, entries)));
    await put(pagesName(pagesId), bytes);
    const mm = mmNameOf(name);
    if (mm !== null) await put(mm, mmImage(...areas));
  }
  await put(
    "pstree.img",
    pstreeImage(
      message([1, 300], [2, 0], [3, 300], [4, 300], [5, 300]),
      message([1, 301], [2, 300], [3, 300], [4, 300], [5, 301], [5, 317]),
    ),
  );
  await put("inventory.img", inventoryImage(message([1, 2])));
  await put("stats-dump", Buffer.from(`as CRIU left it in ${folder}`));
}

/**
 * What every page that this folder's pagemap lists holds (a digest of it), by number of the page; found by following `parent` on the disk, one
 * page after the other, without any of the code under test but the reader of one pagemap.
 */
export async function contentOf(folder: string, name: string): Promise<Map<number, string>> {
  const pagemap = readPagemap(await readFile(path.join(folder, name)), name);
  const pages = await readFile(path.join(folder, pagesName(pagemap.pagesId)));
  const content = new Map<number, string>();
  let parent: Map<number, string> | undefined;
  let at = 0;
  for (const entry of entriesOf(pagemap)) {
    if ((entry.flags & IN_PARENT) !== 0)
      parent ??= await contentOf(path.join(folder, await readlink(path.join(folder, "parent"))), name);
    for (let page = entry.page; page < entry.page + entry.pages; page++) {
      if ((entry.flags & PRESENT) !== 0) content.set(page, digest(pages.subarray(at, (at += PAGE))));
      else if ((entry.flags & IN_PARENT) !== 0) content.set(page, parent?.get(page) ?? "nowhere");
    }
  }
  if (at !== pages.length) throw new Error(`${pages.length - at} bytes too many in ${folder}`);
  return content;
}

/** The digest of a page full of zeros. */
export const BLANK = digest(Buffer.alloc(PAGE));

/** What a manifest would say of the folder as it is now. */
export async function digestsOf(folder: string): Promise<FileDigests> {
  const digests: Record<string, FileDigests[string]> = {};
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(path.join(folder, entry.name));
    digests[entry.name] = { bytes: bytes.length, sha256: digest(bytes) };
  }
  return digests;
}

/** A folder's pagemap and pages as they are, to compare two folders. */
export async function entriesIn(folder: string, name: string): Promise<readonly PageEntry[]> {
  return [...entriesOf(readPagemap(await readFile(path.join(folder, name)), name))];
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export const ignore = (): void => undefined;

import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { Vault } from "../../../src/engine/ports.ts";
import { entriesOf, IN_PARENT, PAGE, pagemapOf, PRESENT, readPagemap, writePagemap } from "../../../src/images/pagemap.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { mmImage } from "../images/encode.ts";
import { aPage, BASE } from "../images/specimens.ts";
import { type Pick, PowerCut, SimDisk } from "./sim-disk.ts";
import { aJob, aManifest, lj } from "./specimens.ts";

/** Each page's letters by point: what a reader must find for ever, whatever was rewritten. */
export const letters: Readonly<Record<number, string>> = { 1: "abcde", 2: "aBcde", 3: "aBCdE", 4: "aBcDE" };

/** Pages that each has of its own; that 4 has the one of 2 is not to be seen before it stands on 2. */
const own: Readonly<Record<number, readonly number[]>> = { 1: [0, 1, 2, 3, 4], 2: [1], 3: [2, 4], 4: [2, 3] };

/** Pages by letter, small files whole, links and manifests, of every sealed generation. Rejects if anything is unreadable. */
export async function readBack(disk: SimDisk): Promise<string> {
  const vault = await openOn(disk);
  const found: Record<number, unknown> = {};
  for (const number of await vault.sealed(lj)) {
    const manifest = await vault.manifest(lj, number);
    for (const [file, digest] of Object.entries(manifest.digests)) {
      const bytes = await disk.read(`${folderOf(number)}/${file}`);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest.sha256);
    }
    const link = await disk.readLink(`${folderOf(number)}/parent`).catch((error: unknown) => {
      if (error instanceof PowerCut) throw error;
      return null;
    });
    const { kind, parent, pages, id } = manifest;
    const said = { id, kind, parent: parent?.number ?? null, link, kept: pages.kept };
    found[number] = { ...said, pages: await lettersOf(disk, number) };
    expect(found[number]).toHaveProperty("pages", letters[number]);
  }
  return JSON.stringify(found);
}

async function lettersOf(disk: SimDisk, number: number): Promise<string> {
  const pages = await pagesOf(disk, number);
  return [0, 1, 2, 3, 4].map((i) => pages.get(BASE + i)).join("");
}

/** Followed by the links on the disk, as CRIU does. */
async function pagesOf(disk: SimDisk, number: number): Promise<Map<number, string>> {
  const pagemap = readPagemap(await disk.read(`${folderOf(number)}/pagemap-300.img`), "pagemap");
  const bytes = await disk.read(`${folderOf(number)}/pages-1.img`);
  const pages = new Map<number, string>();
  let at = 0;
  let parent: Map<number, string> | undefined;
  for (const entry of entriesOf(pagemap)) {
    for (let page = entry.page; page < entry.page + entry.pages; page++) {
      if ((entry.flags & IN_PARENT) === 0) pages.set(page, String.fromCharCode(bytes[at++ * PAGE] ?? 63));
      else {
        parent ??= await pagesOf(disk, Number(/^\.\.\/(\d+)$/.exec(await disk.readLink(`${folderOf(number)}/parent`))?.[1]));
        pages.set(page, parent.get(page) ?? "?");
      }
    }
  }
  expect(bytes.length).toBe(at * PAGE);
  return pages;
}

/** `B1 i2 i3 i4`, sealed and durable: what each has of its own is in {@link own}. */
export async function chainOnDisk(): Promise<SimDisk> {
  const disk = new SimDisk();
  await disk.makeFolder("/srv");
  await disk.sync("/");
  const vault = await openOn(disk);
  await vault.writeJob(aJob());
  for (const number of [1, 2, 3, 4]) {
    const making = await vault.prepare(lj, number);
    const present = own[number] ?? [];
    const entries = [0, 1, 2, 3, 4].map((i) => ({ page: BASE + i, pages: 1, flags: present.includes(i) ? PRESENT : IN_PARENT }));
    const pages = present.map((i) => aPage(letters[number]?.[i] ?? "", "z"));
    disk.put(`${making.folder}/pagemap-300.img`, Buffer.from(writePagemap(pagemapOf(1, entries))));
    disk.put(`${making.folder}/pages-1.img`, Buffer.concat(pages));
    disk.put(`${making.folder}/mm-300.img`, mmImage({ page: BASE, pages: 5 }));
    disk.put(`${making.folder}/inventory.img`, Buffer.from(`inventory of ${number}`));
    disk.putFolder(`${making.folder}/files`);
    disk.put(`${making.folder}/files/1`, Buffer.from(`captured by ${number}`));
    const parent = number === 1 ? null : { number: number - 1, id: `id-${number - 1}` };
    if (parent !== null) disk.putLink(`${making.folder}/parent`, `../${parent.number}`);
    await vault.seal(making, aManifest(number, { kind: parent ? "increment" : "base", parent }), {});
  }
  return disk;
}

export const root = "/srv/vault";
export const folderOf = (number: number): string => `${root}/jobs/lj/generations/${number}`;

let drawn = 0;
export const random = (): string => (++drawn).toString(16).padStart(8, "0").padEnd(32, "0");

export function openOn(disk: SimDisk): Promise<Vault> {
  return openVault({ path: root, stagingPath: null, keyPath: null, random, now: () => 77 }, disk);
}

export const nothingLasts: Pick = () => 0;
/** Every rename, and none of the bytes. */
export const namesLast: Pick = (count) => (count === 2 ? 1 : 0);
export const everythingLasts: Pick = () => 1;

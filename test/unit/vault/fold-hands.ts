import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { DedupHands } from "../../../src/vault/dedup.ts";
import { dedupFolder } from "../../../src/vault/dedup-folder.ts";
import type { FoldHands } from "../../../src/vault/fold.ts";
import { foldFolder } from "../../../src/vault/fold-folder.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { checkStructure } from "../../../src/vault/verify.ts";
import type { SimDisk } from "./sim-disk.ts";

export type Written<T> = { readonly result: T; readonly files: readonly (readonly [string, Buffer | string])[] };
type Folded = Awaited<ReturnType<typeof foldFolder>>;
type Deduped = Awaited<ReturnType<typeof dedupFolder>>;
type Checked = Awaited<ReturnType<typeof checkStructure>>;

/** By everything that lies in the folders: the same work is done once. */
const folded = new Map<string, Promise<Written<Folded>>>();
const deduped = new Map<string, Promise<Written<Deduped>>>();
const checked = new Map<string, Promise<Checked>>();

/**
 * The real page work, done in a copy of the simulated disk's folders on a real one; what it wrote comes back unsynced, as nothing of it
 * need be durable.
 */
export function handsOn(disk: SimDisk): FoldHands & DedupHands {
  type Work<T> = (copies: readonly SealedFolder[], aside: string) => Promise<T>;
  async function write<T>(
    known: Map<string, Promise<Written<T>>>,
    what: string,
    chain: readonly SealedFolder[],
    into: string,
    act: Work<T>,
  ): Promise<T> {
    const seen = await fingerprint(disk, chain, what);
    const work = await remembered(known, seen, () =>
      inCopy(disk, chain, async (copies, root) => {
        const aside = path.join(root, "aside");
        await mkdir(aside);
        const result = await act(copies, aside);
        return { result, files: await contentsOf(aside) };
      }),
    );
    for (const [name, content] of work.files) {
      if (typeof content === "string") disk.putLink(`${into}/${name}`, content);
      else disk.put(`${into}/${name}`, content);
    }
    return work.result;
  }
  return {
    async checkStructure(chain) {
      const seen = await fingerprint(disk, chain, "check");
      return remembered(checked, seen, () => inCopy(disk, chain, checkStructure));
    },
    foldFolder: ({ chain, parent, into }) =>
      write(folded, `onto ${parent}`, chain, into, (copies, aside) =>
        foldFolder({ chain: copies, parent, into: aside }, () => undefined),
      ),
    dedupFolder: (chain, into) =>
      write(deduped, "dedup", chain, into, (copies, aside) => dedupFolder(copies, aside, () => undefined)),
  };
}

export function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}

export async function fingerprint(disk: SimDisk, chain: readonly SealedFolder[], what: string): Promise<string> {
  const hash = createHash("sha256").update(what);
  const visit = async (folder: string, at: string): Promise<void> => {
    for (const { name, type } of await disk.list(folder)) {
      const below = `${folder}/${name}`;
      hash.update(`\0${at}/${name} ${type} `);
      if (type === "folder") await visit(below, `${at}/${name}`);
      else hash.update(type === "link" ? await disk.readLink(below) : await disk.read(below));
    }
  };
  for (const member of chain) {
    hash.update(JSON.stringify([member.number, member.digests, member.parent]));
    await visit(member.folder, path.basename(member.folder));
  }
  return hash.digest("hex");
}

export async function inCopy<T>(
  disk: SimDisk,
  chain: readonly SealedFolder[],
  act: (copies: readonly SealedFolder[], root: string) => Promise<T>,
): Promise<T> {
  const root = await mkdtemp(path.join(os.tmpdir(), "holdfast-fold-"));
  try {
    const copies: SealedFolder[] = [];
    for (const member of chain) {
      const folder = path.join(root, path.basename(member.folder));
      await copyOut(disk, member.folder, folder);
      copies.push({ ...member, folder });
    }
    return await act(copies, root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function copyOut(disk: SimDisk, from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const { name, type } of await disk.list(from)) {
    const [source, target] = [`${from}/${name}`, path.join(to, name)];
    if (type === "folder") await copyOut(disk, source, target);
    else if (type === "link") await symlink(await disk.readLink(source), target);
    else await writeFile(target, await disk.read(source));
  }
}

export async function contentsOf(folder: string): Promise<Written<unknown>["files"]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return Promise.all(
    entries.map(async (entry) => {
      const at = path.join(folder, entry.name);
      return [entry.name, entry.isSymbolicLink() ? await readlink(at) : await readFile(at)] as const;
    }),
  );
}

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { FoldHands } from "../../../src/vault/fold.ts";
import { foldFolder } from "../../../src/vault/fold-folder.ts";
import type { SealedFolder } from "../../../src/vault/pages-check.ts";
import { checkStructure } from "../../../src/vault/verify.ts";
import type { SimDisk } from "./sim-disk.ts";

type Written = { readonly result: Awaited<ReturnType<typeof foldFolder>>; readonly files: readonly (readonly [string, Buffer | string])[] };
const foldedBefore = new Map<string, Written>();

/**
 * The real page work, done in a copy of the simulated disk's folders on a real one; what it wrote comes back unsynced, as nothing of it
 * need be durable. The same work on the same folders is done once.
 */
export function handsOn(disk: SimDisk): FoldHands {
  return {
    checkStructure: (chain) => inCopy(disk, chain, (copies) => checkStructure(copies)),
    foldFolder: async ({ chain, parent, into }, onProgress) => {
      const hash = createHash("sha256").update(`onto ${parent}`);
      for (const { folder, digests } of chain) {
        for (const name of Object.keys(digests)) hash.update(`${folder}/${name}`).update(await disk.read(`${folder}/${name}`));
      }
      const key = hash.digest("hex");
      const work = foldedBefore.get(key) ?? (await inCopy(disk, chain, async (copies, root) => {
        const aside = path.join(root, "aside");
        await mkdir(aside);
        const result = await foldFolder({ chain: copies, parent, into: aside }, onProgress);
        return { result, files: await contentsOf(aside) };
      }));
      foldedBefore.set(key, work);
      for (const [name, content] of work.files) {
        if (typeof content === "string") disk.putLink(`${into}/${name}`, content);
        else disk.put(`${into}/${name}`, content);
      }
      return work.result;
    },
  };
}

async function inCopy<T>(
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

async function contentsOf(folder: string): Promise<Written["files"]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return Promise.all(
    entries.map(async (entry) => {
      const at = path.join(folder, entry.name);
      return [entry.name, entry.isSymbolicLink() ? await readlink(at) : await readFile(at)] as const;
    }),
  );
}

import { mkdir, readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { holesIn } from "../../../src/host/holes.ts";
import type { PackHands } from "../../../src/vault/pack.ts";
import { checkPack, unpackInto } from "../../../src/vault/pack-read.ts";
import { writePack } from "../../../src/vault/pack-write.ts";
import { checkFolder, type SealedFolder } from "../../../src/vault/pages-check.ts";
import { PACK } from "../../../src/vault/paths.ts";
import { fingerprint, inCopy, remembered } from "./fold-hands.ts";
import type { SimDisk } from "./sim-disk.ts";

type Left<T> = { readonly result: T; readonly files: readonly (readonly [string, Buffer | string | null])[] };

/** By everything that lies in the folder: the same work is done once. */
const known = new Map<string, Promise<Left<unknown>>>();

/** The real work, done in a copy of the simulated disk's folder on a real one; what it wrote comes back unsynced. */
export function packHandsOn(disk: SimDisk): PackHands {
  async function work<T>(
    what: string,
    member: SealedFolder,
    into: string | null,
    act: (copy: SealedFolder, aside: string) => Promise<T>,
  ): Promise<T> {
    const seen = `${what} ${JSON.stringify(member.packed)} ${await fingerprint(disk, [member], what)}`;
    const done = (await remembered(known, seen, () =>
      inCopy(disk, [member], async ([copy], root) => {
        const aside = path.join(root, "aside");
        await mkdir(aside);
        const result = await act(copy as SealedFolder, aside);
        return { result, files: await everythingIn(aside) };
      }),
    )) as Left<T>;
    if (into !== null) {
      for (const [name, content] of done.files) {
        if (content === null) disk.putFolder(`${into}/${name}`);
        else if (typeof content === "string") disk.putLink(`${into}/${name}`, content);
        else disk.put(`${into}/${name}`, content);
      }
    }
    return done.result;
  }
  return {
    checkFolder: (member) => work("check", member, null, checkFolder),
    checkPack: (member, reach) => work(`read ${reach}`, member, null, (copy) => checkPack(copy, reach, () => undefined)),
    writePack: ({ member, madeAt, into }) =>
      work("pack", member, path.dirname(into), (copy, aside) =>
        writePack({ member: copy, madeAt, into: path.join(aside, PACK), holes: holesIn }, () => undefined),
      ),
    unpackInto: (member, into) => work("unpack", member, into, (copy, aside) => unpackInto(copy, aside, () => undefined)),
  };
}

async function everythingIn(folder: string): Promise<Left<unknown>["files"]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const found = entries.map(async (entry) => {
    const at = path.join(entry.parentPath, entry.name);
    const content = entry.isDirectory() ? null : entry.isSymbolicLink() ? await readlink(at) : await readFile(at);
    return [path.relative(folder, at), content] as const;
  });
  // A folder before what is in it.
  return (await Promise.all(found)).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

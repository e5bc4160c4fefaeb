import path from "node:path";
import type { Damage } from "../engine/ports.ts";
import { isPagemapName } from "../images/image-names.ts";
import { planFlatten } from "../images/page-plan.ts";
import { readLine } from "./pages-folder.ts";
import { checkFolder, type SealedFolder } from "./pages-check.ts";
import { damageOf } from "./pages-damage.ts";
import { describeHole } from "./pages-holes.ts";
import { digestFile } from "./pages-move.ts";

/**
 * Reads a chain back: the generation, its parent, and so on to the base. {@link checkStructure}, then {@link checkDigests}. Gives the
 * damage found, oldest generation first; empty means whole. Ends on any damage, truncation included. What is not
 * damage (no permission, too many open files) is thrown.
 */
export async function verifyFolders(
  chain: readonly SealedFolder[],
  onProgress: (bytes: number, total: number) => void,
): Promise<readonly Damage[]> {
  const structure = await checkStructure(chain);
  const found = new Set(structure.map(({ number, file }) => `${number}/${file}`));
  const content = await checkDigests(chain, onProgress);
  return oldestFirst([...structure, ...content.filter(({ number, file }) => !found.has(`${number}/${file}`))]);
}

/**
 * The fast part, which reads no pages: the files that should be there and no others, with their lengths; links; pagemaps
 * that fit their pages files; and for the generation itself (not again for those it stands on) that each page is held by somebody.
 */
export async function checkStructure(chain: readonly SealedFolder[]): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  for (const member of chain) damage.push(...(await checkFolder(member)));
  const [head] = chain;
  for (const file of Object.keys(head?.digests ?? {}).filter(isPagemapName)) {
    // A pagemap that cannot be read has been reported where it lies.
    const why = await unheld(chain, file).catch((error: unknown) => (damageOf(error) === null ? Promise.reject(error) : null));
    if (why !== null && head !== undefined) damage.push({ number: head.number, file, why });
  }
  return oldestFirst(damage);
}

/** The slow part: every file's length and SHA-256, the oldest generation first. `total` is what the manifests tell of. */
export async function checkDigests(
  chain: readonly SealedFolder[],
  onProgress: (bytes: number, total: number) => void,
): Promise<readonly Damage[]> {
  const files = chain
    .toReversed()
    .flatMap(({ number, folder, digests }) => Object.entries(digests).map(([file, digest]) => ({ number, folder, file, digest })));
  const total = files.reduce((sum, { digest }) => sum + digest.bytes, 0);
  const damage: Damage[] = [];
  let done = 0;
  for (const { number, folder, file, digest } of files) {
    const before = done;
    const found = await digestFile(path.join(folder, file), (bytes) => onProgress((done += bytes), total)).catch(damageOrThrow);
    done = before + digest.bytes;
    if (typeof found === "string") damage.push({ number, file, why: found });
    else if (found.bytes !== digest.bytes)
      damage.push({ number, file, why: `it has ${found.bytes} bytes, ${digest.bytes} were sealed` });
    else if (found.sha256 !== digest.sha256) damage.push({ number, file, why: "its content is not what was sealed" });
  }
  return damage;
}

/** The first pages of a memory that nobody in the chain holds, in words; `null`: all are held. */
async function unheld(chain: readonly SealedFolder[], name: string): Promise<string | null> {
  const line = await readLine(
    chain.map(({ folder }) => folder),
    name,
  );
  for (const piece of planFlatten(line)) if (piece.what === "held" && piece.by.type === "hole") return describeHole(piece.by);
  return null;
}

function damageOrThrow(error: unknown): string {
  const why = damageOf(error);
  if (why === null) throw error;
  return why;
}

function oldestFirst(damage: readonly Damage[]): readonly Damage[] {
  return damage.toSorted((a, b) => a.number - b.number);
}

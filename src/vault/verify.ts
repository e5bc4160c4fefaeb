import path from "node:path";
import type { Damage, Pace } from "../engine/ports.ts";
import { checkFolder, type SealedFolder } from "./pages-check.ts";
import { damageOf } from "./pages-damage.ts";
import { checkPack } from "./pack-read.ts";
import { digestFile } from "./pages-move.ts";
import { isBulk } from "./pick-share.ts";
import { checkPages } from "./resolve-check.ts";

/**
 * The fast part, which reads no pages: the files that should be there and no others, with their lengths; links; pagemaps
 * that fit their pages files; and for the generation itself (not again for those it stands on) that each page is held by somebody.
 */
export async function checkStructure(chain: readonly SealedFolder[]): Promise<readonly Damage[]> {
  const damage: Damage[] = [];
  for (const member of chain) damage.push(...(await checkFolder(member)));
  return oldestFirst([...damage, ...(await checkPages([chain], new Set()))]);
}

/** The slow part: every file's length and SHA-256, the oldest generation first. `total` is what the manifests tell of. */
export async function checkDigests(
  chain: readonly SealedFolder[],
  onProgress: (bytes: number, total: number) => void,
  pace?: Pace,
): Promise<readonly Damage[]> {
  const total = chain.flatMap(({ digests }) => Object.values(digests)).reduce((sum, { bytes }) => sum + bytes, 0);
  const damage: Damage[] = [];
  let done = 0;
  const onBytes = (bytes: number): void => onProgress((done += bytes), total);
  for (const member of chain.toReversed()) {
    const before = done;
    damage.push(...(await (member.packed === undefined ? checkFiles : checkPacked)(member, onBytes, pace)));
    done = before + Object.values(member.digests).reduce((sum, { bytes }) => sum + bytes, 0);
  }
  return damage;
}

type Check = (member: SealedFolder, onBytes: (bytes: number) => void, pace?: Pace) => Promise<readonly Damage[]>;

const checkFiles: Check = async ({ number, folder, digests }, onBytes, pace) => {
  const damage: Damage[] = [];
  for (const [file, digest] of Object.entries(digests)) {
    const found = await digestFile(path.join(folder, file), onBytes, pace).catch(damageOrThrow);
    if (typeof found === "string") damage.push({ number, file, why: found });
    else if (found.bytes !== digest.bytes)
      damage.push({ number, file, why: `it has ${found.bytes} bytes, ${digest.bytes} were sealed` });
    else if (found.sha256 !== digest.sha256) damage.push({ number, file, why: "its content is not what was sealed" });
  }
  return damage;
};

/** Of a pack all is read, and told of it only what was asked for; without a file that may be large, only its begin is read. */
const checkPacked: Check = async (member, onBytes, pace) => {
  const names = Object.keys(member.digests);
  if (names.length === 0) return [];
  return checkPack(member, names.some(isBulk) ? "everything" : "small", onBytes, pace);
};

function damageOrThrow(error: unknown): string {
  const why = damageOf(error);
  if (why === null) throw error;
  return why;
}

export function oldestFirst(damage: readonly Damage[]): readonly Damage[] {
  return damage.toSorted((a, b) => a.number - b.number);
}

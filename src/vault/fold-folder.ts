import { symlink } from "node:fs/promises";
import path from "node:path";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import type { Damage, Pace } from "../engine/ports.ts";
import { isPagemapName, PARENT_LINK } from "../images/image-names.ts";
import { PAGE } from "../images/pagemap.ts";
import type { SealedFolder } from "./pages-check.ts";
import { type FoldSurvey, foldMemory, surveyMemory } from "./pages-fold.ts";
import { PagesDamage } from "./pages-sum.ts";
import { checkDigests } from "./verify.ts";

export type FoldRequest = {
  /** The generation and all it stands on, down to the base. */
  readonly chain: readonly SealedFolder[];
  /** Place in the chain of the one it is to stand on; `chain.length`: it becomes a base. */
  readonly parent: number;
  /** An empty folder. */
  readonly into: string;
};

export type FoldedFolder = {
  /** Of the files that were written; all others stay as they are. */
  readonly digests: FileDigests;
  readonly pagesKept: number;
  /** Bytes of pages taken over. */
  readonly bytesMoved: number;
  /** In a file that had to be read; what was written then is worth nothing. */
  readonly damage: readonly Damage[];
};

/**
 * Writes those memories of a generation anew that take pages over from generations in between, and the `parent` link if any page is still
 * left to a parent. Every file whose bytes go into the new ones is held against its digest: damage must not be taken over and
 * signed as sound. Pagemaps before, pages on the way, so that each is read once. Syncs nothing; a failure in the middle leaves a part of it.
 * Faults: `image-malformed`.
 */
export async function foldFolder(
  { chain, parent, into }: FoldRequest,
  onProgress: (bytes: number, total: number) => void,
  pace?: Pace,
): Promise<FoldedFolder> {
  const folders = chain.map(({ folder }) => folder);
  const place = parent < chain.length ? parent : Infinity;
  const surveys = new Map<string, FoldSurvey>();
  for (const name of Object.keys(chain[0]?.digests ?? {}).filter(isPagemapName)) {
    surveys.set(name, await surveyMemory({ folders, name, parent: place }));
  }
  const changed = [...surveys].filter(([, { pagesTaken }]) => pagesTaken > 0);
  const pagemaps = pagemapsOf(chain, changed);
  const memories = changed.map(([name, survey]) => ({ folders, name, parent: place, sealed: sealedOf(chain, survey) }));
  const small = bytesOf(pagemaps.flatMap(({ digests }) => Object.values(digests)));
  const writes = changed.reduce((sum, [, { pagesKept }]) => sum + pagesKept * PAGE, 0);
  const total = small + bytesOf(memories.flatMap(({ sealed }) => [...sealed.values()])) + writes;
  const spoilt = (damage: readonly Damage[]): FoldedFolder => ({ digests: {}, pagesKept: 0, bytesMoved: 0, damage });
  const damage = await checkDigests(pagemaps, (bytes) => onProgress(bytes, total), pace);
  if (damage.length > 0) return spoilt(damage);

  let digests: FileDigests = {};
  let done = small;
  try {
    for (const memory of memories) {
      const onBytes = (bytes: number): void => onProgress((done += bytes), total);
      digests = { ...digests, ...(await foldMemory(memory, into, onBytes, pace)) };
    }
  } catch (error) {
    if (!(error instanceof PagesDamage)) throw error;
    return spoilt([{ number: chain[error.place]?.number ?? 0, file: error.file, why: error.why }]);
  }
  const all = [...surveys.values()];
  if (all.some((survey) => survey.leansOnParent)) await symlink(linkTo(chain[parent]), path.join(into, PARENT_LINK));
  const sum = (of: (survey: FoldSurvey) => number): number => all.reduce((before, survey) => before + of(survey), 0);
  return { digests, pagesKept: sum((one) => one.pagesKept), bytesMoved: sum((one) => one.pagesTaken) * PAGE, damage };
}

/** The generations with only the pagemaps that are read to write the new ones. */
function pagemapsOf(chain: readonly SealedFolder[], changed: readonly (readonly [string, FoldSurvey])[]): readonly SealedFolder[] {
  return chain.map((member, place) => {
    const names = changed.flatMap(([name, { asked }]) => (asked.includes(place) ? [name] : []));
    // What its manifest does not name has no digest to be held against; the check of the folder has told of it.
    const known = names.flatMap((name) => (member.digests[name] === undefined ? [] : [[name, member.digests[name]] as const]));
    return { ...member, digests: Object.fromEntries(known) };
  });
}

/** What the pages files that are read for a memory were sealed as. */
function sealedOf(chain: readonly SealedFolder[], { read }: FoldSurvey): ReadonlyMap<number, FileDigests[string]> {
  const found = new Map<number, FileDigests[string]>();
  for (const [place, file] of read) {
    const digest = chain[place]?.digests[file];
    if (digest !== undefined) found.set(place, digest);
  }
  return found;
}

function bytesOf(digests: readonly FileDigests[string][]): number {
  return digests.reduce((sum, { bytes }) => sum + bytes, 0);
}

function linkTo(parent: Pick<Manifest, "number"> | undefined): string {
  if (parent === undefined) throw new Error("pages are left to a parent, but it is to stand on nothing");
  return `../${parent.number}`;
}

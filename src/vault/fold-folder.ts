import { symlink } from "node:fs/promises";
import path from "node:path";
import type { FileDigests, Manifest } from "../domain/manifest.ts";
import type { Damage, Pace } from "../engine/ports.ts";
import { isPagemapName, PARENT_LINK } from "../images/image-names.ts";
import { PAGE } from "../images/pagemap.ts";
import type { SealedFolder } from "./pages-check.ts";
import { type FoldSurvey, foldMemory, surveyMemory } from "./pages-fold.ts";
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
  /** In a file that had to be read; nothing was written then. */
  readonly damage: readonly Damage[];
};

/**
 * Writes those memories of a generation anew that take pages over from generations in between, and the `parent` link if any page is still
 * left to a parent. Every file whose bytes go into the new ones is read against its digest first: damage must not be taken over and
 * signed as sound. Syncs nothing; a failure in the middle leaves a part of it.
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
  const sources = sourcesOf(chain, changed);
  const writes = changed.reduce((sum, [, { pagesKept }]) => sum + pagesKept * PAGE, 0);
  const reads = sources.flatMap(({ digests }) => Object.values(digests)).reduce((sum, { bytes }) => sum + bytes, 0);
  const damage = await checkDigests(sources, (bytes) => onProgress(bytes, reads + writes), pace);
  if (damage.length > 0) return { digests: {}, pagesKept: 0, bytesMoved: 0, damage };

  let digests: FileDigests = {};
  let done = reads;
  for (const [name] of changed) {
    const memory = { folders, name, parent: place };
    const onBytes = (bytes: number): void => onProgress((done += bytes), reads + writes);
    digests = { ...digests, ...(await foldMemory(memory, into, onBytes, pace)) };
  }
  const all = [...surveys.values()];
  if (all.some((survey) => survey.leansOnParent)) await symlink(linkTo(chain[parent]), path.join(into, PARENT_LINK));
  const sum = (of: (survey: FoldSurvey) => number): number => all.reduce((before, survey) => before + of(survey), 0);
  return { digests, pagesKept: sum((one) => one.pagesKept), bytesMoved: sum((one) => one.pagesTaken) * PAGE, damage };
}

/** The generations with only those files that are read to write the new ones. */
function sourcesOf(chain: readonly SealedFolder[], changed: readonly (readonly [string, FoldSurvey])[]): readonly SealedFolder[] {
  return chain.map((member, place) => {
    const names = changed.flatMap(([name, { asked, read }]) => [
      ...(asked.includes(place) ? [name] : []),
      ...(read.has(place) ? [read.get(place) ?? ""] : []),
    ]);
    // What its manifest does not name has no digest to be held against; the check of the folder has told of it.
    const known = names.flatMap((name) => (member.digests[name] === undefined ? [] : [[name, member.digests[name]] as const]));
    return { ...member, digests: Object.fromEntries(known) };
  });
}

function linkTo(parent: Pick<Manifest, "number"> | undefined): string {
  if (parent === undefined) throw new Error("pages are left to a parent, but it is to stand on nothing");
  return `../${parent.number}`;
}

import type { DumpFacts, FoundImages } from "./found-images.ts";

export type ImportPlan = {
  /** In the order they are brought in: what a point stands on comes before it. */
  readonly points: readonly ImportedPoint[];
  /** Names of pre-dumps: the points that stand on them take their pages over. */
  readonly preDumps: readonly string[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
};

export type ImportedPoint = {
  readonly number: number;
  readonly name: string;
  readonly facts: DumpFacts;
  /** Number of the point it is to stand on; `null`: a base. */
  readonly parent: number | null;
  /** Its folder, the one that stands on, and so on to the base; `parentPlace` is the parent point's place in it (its length for a base). */
  readonly chain: readonly string[];
  readonly parentPlace: number;
};

/** Longer names are dates and the like, and make poor numbers. */
const numberName = /^[1-9]\d{0,5}$/;

/**
 * Which of the directories become points, under which numbers, and on what they stand. One that cannot be a point, but lies between two that
 * can (a pre-dump, a punched dump, one outside the folder), gives its pages to the younger. Directories that are all named by numbers keep
 * them, where those rise along every chain; else points are numbered from 1, by time.
 */
export function planImport(found: readonly FoundImages[]): ImportPlan {
  const byFolder = new Map(found.map((one) => [one.folder, one]));
  const dumps = found.filter((one) => one.what === "dump" && one.isListed).flatMap((one) => (one.what === "dump" ? [one] : []));
  const folders = new Set(dumps.map((one) => one.folder));
  const chains = new Map(dumps.map((one) => [one.folder, chainOf(one, byFolder)]));
  const standsOn = (folder: string): string | undefined =>
    chains.get(folder)?.find((below, place) => place > 0 && folders.has(below));

  const byTime = dumps.toSorted(
    (a, b) => a.facts.takenAt - b.facts.takenAt || a.name.localeCompare(b.name, "en", { numeric: true }),
  );
  const ordered = parentsFirst(byTime, standsOn);
  const own = new Map(ordered.map((one) => [one.folder, Number(one.name)]));
  const keepsNames = ordered.every(
    ({ name, folder }) => numberName.test(name) && (own.get(standsOn(folder) ?? "") ?? 0) < Number(name),
  );
  const numbers = keepsNames ? own : new Map(ordered.map((one, at) => [one.folder, at + 1]));
  const points = ordered.map(({ folder, name, facts }) => {
    const [chain, below] = [chains.get(folder) ?? [], standsOn(folder)];
    const parentPlace = below === undefined ? chain.length : chain.indexOf(below);
    return { number: numbers.get(folder) ?? 0, name, facts, parent: numbers.get(below ?? "") ?? null, chain, parentPlace };
  });
  return {
    points: points.toSorted((a, b) => a.number - b.number),
    preDumps: found.filter((one) => one.what === "pre-dump" && one.isListed).map((one) => one.name),
    refused: found.flatMap((one) => (one.what === "flawed" && one.isListed ? [{ name: one.name, why: one.why }] : [])),
  };
}

/** Its folder and those below it. Ends on a ring, too. */
function chainOf(one: FoundImages, byFolder: ReadonlyMap<string, FoundImages>): readonly string[] {
  const chain: string[] = [];
  for (let at: FoundImages | undefined = one; at && !chain.includes(at.folder); at = byFolder.get(at.parent ?? "")) {
    chain.push(at.folder);
  }
  return chain;
}

function parentsFirst<T extends FoundImages>(sorted: readonly T[], standsOn: (folder: string) => string | undefined): readonly T[] {
  const ordered: T[] = [];
  let rest = sorted;
  while (rest.length > 0) {
    const next = rest.find(({ folder }) => !rest.some((other) => other.folder === standsOn(folder))) ?? rest[0];
    if (next === undefined) break;
    ordered.push(next);
    rest = rest.filter((one) => one !== next);
  }
  return ordered;
}

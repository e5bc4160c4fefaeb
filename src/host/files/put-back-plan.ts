import { lstatSync, type BigIntStats } from "node:fs";
import { dirname, join } from "node:path";
import type { Capture, CapturedFile, CapturedFolder } from "../../domain/captured.ts";
import { attributesOf, sameAttributes } from "./attributes.ts";
import { sameContent } from "./digest.ts";
import { checkFolder, standingFile, unrestorable, whyChanged } from "./examine.ts";
import { findRegrowth, type Regrowth } from "./regrow.ts";
import { targetFault } from "./translate.ts";
import type { UndoFile, UndoList } from "./undo-list.ts";

/** What putting a capture back would change here and now. */
export type PutBackPlan = {
  readonly undo: UndoList;
  readonly changes: readonly PlannedChange[];
  readonly unchanged: readonly string[];
  /** Absent ones, parents first. */
  readonly folders: readonly CapturedFolder[];
};

/** `regrowth`: for a `cut` that goes on with what older restores cut off. */
export type PlannedChange = { readonly file: CapturedFile; readonly undo: UndoFile; readonly regrowth: Regrowth | null };

/**
 * Looks at every file; changes nothing. `token`: fresh random letters for the temporary names, so that they meet nothing.
 * Faults: `file-unrestorable`.
 */
export async function planPutBack(
  capture: Capture,
  generationFolder: string,
  token: string,
  laterUndo: readonly string[] = [],
): Promise<PutBackPlan> {
  const changes: PlannedChange[] = [];
  const unchanged: string[] = [];
  for (const file of capture.files) {
    const found = await compare(file, generationFolder, laterUndo);
    if (found === null) {
      unchanged.push(file.path);
      continue;
    }
    const number = changes.length;
    const saved = found.saves ? `${number}` : null;
    const { change, before, savedFrom, regrowth = null } = found;
    changes.push({
      file,
      regrowth,
      undo: { path: file.path, change, temporary: `.holdfast-${token}-${number}`, before, saved, savedFrom },
    });
  }
  const folders = capture.folders.filter((folder) => checkFolder(folder) === "absent");
  return { undo: undoListOf(changes, folders), changes, unchanged, folders };
}

type Found = Pick<UndoFile, "change" | "before" | "savedFrom"> & { readonly saves: boolean; readonly regrowth?: Regrowth };

async function compare(file: CapturedFile, generationFolder: string, laterUndo: readonly string[]): Promise<Found | null> {
  try {
    return file.how === "copy" ? await compareCopy(file, generationFolder) : await compareLength(file, laterUndo);
  } catch (error) {
    throw targetFault(error, file.path, 0);
  }
}

async function compareLength(file: CapturedFile, laterUndo: readonly string[]): Promise<Found | null> {
  const why = await whyChanged(file);
  const regrowth = why === null ? null : await findRegrowth(file, laterUndo);
  if (why !== null && !regrowth) throw unrestorable(file.path, why, "go back to another point: see `holdfast points`");
  const stats = lstatSync(file.path, { bigint: true });
  const before = standing(stats);
  // Undone like any cut: what stands behind the bytes that stay is saved first.
  if (regrowth) return { change: "cut", before, savedFrom: regrowth.keeps, saves: true, regrowth };
  if (before.size > file.size) return { change: "cut", before, savedFrom: file.size, saves: true };
  return sameAttributes(before, file) ? null : { change: "attributes", before, savedFrom: 0, saves: false };
}

async function compareCopy(file: CapturedFile, generationFolder: string): Promise<Found | null> {
  const stats = standingFile(file.path);
  if (stats === null) return { change: "create", before: null, savedFrom: 0, saves: false };
  const before = standing(stats);
  const isSame = before.size === file.size && (await sameContent(file.path, storedPath(file, generationFolder)));
  if (isSame) return sameAttributes(before, file) ? null : { change: "attributes", before, savedFrom: 0, saves: false };
  return { change: stats.nlink > 1n ? "in-place" : "replace", before, savedFrom: 0, saves: true };
}

export function storedPath(file: CapturedFile, generationFolder: string): string {
  return join(generationFolder, file.stored ?? "");
}

function standing(stats: BigIntStats): NonNullable<UndoFile["before"]> {
  return { size: Number(stats.size), ...attributesOf(stats) };
}

function undoListOf(changes: readonly PlannedChange[], folders: readonly CapturedFolder[]): UndoList {
  const renamed = changes.filter(({ undo }) => undo.change === "create" || undo.change === "replace");
  const parents = new Set(
    [...renamed.map(({ file }) => file.path), ...folders.map(({ path }) => path)].map((path) => dirname(path)),
  );
  const touched = [...parents].flatMap((path) => {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return stats?.isDirectory() === true ? [{ path, mtimeNs: `${stats.mtimeNs}` }] : [];
  });
  return { format: 1, files: changes.map(({ undo }) => undo), made: folders.map(({ path }) => path), touched };
}

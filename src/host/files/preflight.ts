import { existsSync, lstatSync } from "node:fs";
import { dirname } from "node:path";
import type { Capture, CapturedFile } from "../../domain/captured.ts";
import { Fault } from "../../faults/fault.ts";
import { checkFolder, checkWritable, standingFile, unrestorable, whyChanged, whyOther } from "./examine.ts";
import { inFolderOf } from "./held-folder.ts";
import { storedPath } from "./put-back-plan.ts";
import { findRegrowth } from "./regrow.ts";
import { checkSpace } from "./space.ts";
import { targetFault } from "./translate.ts";

/**
 * What `putBack` and CRIU would meet, found before anything is touched; throws for the first. Reads tails, and needed files whose
 * time differs. Faults: `file-changed`, `file-unrestorable`, `space-short`, `io-failed`.
 */
export async function preflight(
  capture: Capture,
  point: number,
  generationFolder: string,
  laterUndo: readonly string[] = [],
): Promise<void> {
  const made = new Set<string>();
  for (const folder of capture.folders) {
    await checking(folder.path, async () => {
      if (checkFolder(folder) === "present") return;
      await checkParent(folder.path, made);
      made.add(folder.path);
    });
  }
  for (const file of capture.files) {
    await checking(file.path, async () =>
      file.how === "copy" ? checkCopy(file, generationFolder, made) : checkLength(file, point, laterUndo),
    );
  }
  for (const file of capture.needed) {
    await checking(file.path, async () => {
      const why = await whyOther(file);
      if (why !== null) throw Fault.of("file-changed", { file: file.path, point, why });
    });
  }
  await checkSpace(
    capture.files.filter(({ how }) => how === "copy"),
    generationFolder,
  );
}

async function checkLength(file: CapturedFile, point: number, laterUndo: readonly string[]): Promise<void> {
  const why = await whyChanged(file);
  if (why !== null && !(await findRegrowth(file, laterUndo))) throw Fault.of("file-changed", { file: file.path, point, why });
  await inFolderOf(file.path, async () => checkWritable(file.path));
}

async function checkCopy(file: CapturedFile, generationFolder: string, made: ReadonlySet<string>): Promise<void> {
  const stored = storedPath(file, generationFolder);
  const stats = lstatSync(stored, { throwIfNoEntry: false });
  if (stats?.isFile() !== true || stats.size !== file.size) {
    const why = `its copy ${stored} is ${stats === undefined ? "missing" : "not as it was written"}`;
    throw unrestorable(file.path, why, "go back to another point: see `holdfast points`");
  }
  if (!made.has(dirname(file.path))) standingFile(file.path);
  await checkParent(file.path, made);
}

/** The folder of `path` is there, is reached without a link and can be written; or is one that will be made. */
async function checkParent(path: string, made: ReadonlySet<string>): Promise<void> {
  const folder = dirname(path);
  if (made.has(folder)) return;
  if (!existsSync(folder)) throw unrestorable(path, `its folder ${folder} is missing`, `make ${folder} again, then try again`);
  await inFolderOf(path, async () => checkWritable(folder));
}

async function checking(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw targetFault(error, path, 0);
  }
}

import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Capture, CapturedFolder } from "../../domain/captured.ts";
import type { PutBackReport } from "../../engine/ports.ts";
import { Fault } from "../../faults/fault.ts";
import { withRegularFile } from "./digest.ts";
import { inFolderOf } from "./held-folder.ts";
import { planPutBack, storedPath, type PlannedChange, type PutBackPlan } from "./put-back-plan.ts";
import { targetFault, vaultFault } from "./translate.ts";
import { undo } from "./undo.ts";
import { openUndoFolder, syncFolder, writeUndoList, type UndoFile } from "./undo-list.ts";
import { makeFifo } from "./fifo.ts";
import { copyRange, cutBack, regrowFile, renameOver, restoreAttributes, writeBeside, writeOver } from "./write.ts";

/**
 * Puts a point's files back. First the undo folder, synced, with its list last; then one change after the other, each of which
 * `undo` can take back, also half done. If one fails, all are undone and the fault tells which file it was.
 * Faults: `file-unrestorable`, `space-short`, `vault-full`, `vault-unwritable`, `io-failed`, `directory-not-empty`.
 */
export async function putBack(
  capture: Capture,
  generationFolder: string,
  undoFolder: string,
  token: string,
  laterUndo: readonly string[] = [],
): Promise<PutBackReport> {
  await openUndoFolder(undoFolder);
  const plan = await planPutBack(capture, generationFolder, token, laterUndo);
  try {
    for (const step of stepsOf(plan, generationFolder, undoFolder)) await step.run();
  } catch (error) {
    await undoAfter(error, undoFolder);
    throw error;
  }
  return reportOf(plan, undoFolder);
}

/** If not even that goes through, the fault says where the contents are. */
async function undoAfter(error: unknown, undoFolder: string): Promise<void> {
  try {
    await undo(undoFolder);
  } catch (second) {
    const cause = new AggregateError([error, second], "the put-back failed, and so did its undoing");
    const why = `${messageOf(error)}; undoing that failed too: ${messageOf(second)}`;
    const advice = `what the files held is kept in ${undoFolder}, with undo.json as its list`;
    throw Fault.of("file-unrestorable", { file: "a file of the job", why, advice }, { cause });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One change on the disk. A crash between two, or in the middle of one, is undone by `undo`. */
export type Step = { readonly what: string; readonly run: () => Promise<void> };

/** All that a put-back does, in order. */
export function stepsOf(plan: PutBackPlan, generationFolder: string, undoFolder: string): readonly Step[] {
  const inVault = (what: string, run: Step["run"]): Step => translated(what, run, (error) => vaultFault(error, undoFolder));
  const parents = new Set([...plan.changes.map(({ file }) => file.path), ...plan.undo.made].map((path) => dirname(path)));
  return [
    ...plan.undo.files.map((entry) => inVault(`save ${entry.path}`, async () => save(entry, undoFolder))),
    inVault("write the undo list", async () => writeUndoList(undoFolder, plan.undo)),
    ...plan.folders.map((folder) => onTarget("make", folder.path, 0, async () => makeFolder(folder))),
    ...plan.changes.flatMap((change) => changeSteps(change, generationFolder)),
    ...[...parents].map((path) => onTarget("sync", path, 0, async () => syncFolder(path))),
  ];
}

function changeSteps({ file, undo: entry, regrowth }: PlannedChange, generationFolder: string): Step[] {
  const { path, size } = file;
  const stored = storedPath(file, generationFolder);
  switch (entry.change) {
    case "create":
    case "replace":
      return [
        onTarget("write beside", path, size, async () => writeBeside(path, entry.temporary, stored, file)),
        onTarget("rename over", path, size, async () => renameOver(path, entry.temporary)),
      ];
    case "in-place":
      return [onTarget("write over", path, size, async () => writeOver(path, stored, file))];
    case "cut":
      if (regrowth) return [onTarget("regrow", path, size, async () => regrowFile(path, regrowth, file))];
      return [onTarget("cut", path, size, async () => cutBack(path, size, file))];
    case "attributes":
      return [onTarget("set attributes of", path, size, async () => restoreAttributes(path, file))];
  }
}

function onTarget(verb: string, path: string, bytes: number, run: Step["run"]): Step {
  return translated(`${verb} ${path}`, run, (error) => targetFault(error, path, bytes));
}

function translated(what: string, work: Step["run"], translate: (error: unknown) => unknown): Step {
  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      throw translate(error);
    }
  };
  return { what, run };
}

/** Reads through the held folder and no link: what is saved is one day given back to the owner of that path. */
async function save({ path, saved, savedFrom }: UndoFile, undoFolder: string): Promise<void> {
  if (saved === null) return;
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const target = await open(join(undoFolder, saved), flags, 0o600);
  try {
    await inFolderOf(path, async ({ file }) => withRegularFile(file, async (source) => copyRange(source, savedFrom, target, 0)));
    await target.chmod(0o600);
    await target.sync();
  } finally {
    await target.close();
  }
}

async function makeFolder(folder: CapturedFolder): Promise<void> {
  const { path, mode, uid, gid, fifo } = folder;
  await inFolderOf(path, async ({ file }) => {
    if (fifo) return makeFifo(file, folder);
    await mkdir(file, 0o700);
    const handle = await open(file, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const now = await handle.stat();
      if (now.uid !== uid || now.gid !== gid) await handle.chown(uid, gid);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

const doneBy = { create: "created", replace: "rewritten", "in-place": "rewritten", cut: "cut", attributes: "rewritten" } as const;

function reportOf(plan: PutBackPlan, undoFolder: string): PutBackReport {
  const changed = plan.changes.map(({ file, undo: entry, regrowth }) => ({
    path: file.path,
    done: regrowth ? ("rewritten" as const) : doneBy[entry.change],
  }));
  const unchanged = plan.unchanged.map((path) => ({ path, done: "unchanged" as const }));
  const savedBytes = plan.undo.files.map(({ before, saved, savedFrom }) => (saved === null ? 0 : (before?.size ?? 0) - savedFrom));
  return { files: [...changed, ...unchanged], undoFolder, undoBytes: savedBytes.reduce((sum, bytes) => sum + bytes, 0) };
}

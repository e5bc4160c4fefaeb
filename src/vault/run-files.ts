import path from "node:path";
import type { JobName } from "../domain/job.ts";
import type { Beginning, Run } from "../domain/run.ts";
import { ensureFolder } from "./atomic.ts";
import { readDocument, writeDocument } from "./document.ts";
import { numberOf } from "./paths.ts";
import type { Room } from "./room.ts";
import { beginningDocument, runDocument } from "./run-document.ts";
import { listIfThere, removeWhole } from "./tree.ts";

/** The runs that were written down, oldest first. */
export async function readRuns(room: Room, name: JobName): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const number of await runNumbers(room, name)) {
    const run = await readDocument(room.disk, room.paths.runFile(name, number), runDocument);
    if (run !== null) runs.push(run);
  }
  return runs;
}

export async function writeRun(room: Room, name: JobName, run: Run): Promise<void> {
  await makeRunFolder(room, name, run.number);
  await writeDocument(room.disk, room.paths.runFile(name, run.number), runDocument, run, room.random);
}

export async function writeBeginning(room: Room, name: JobName, number: number, beginning: Beginning): Promise<void> {
  await makeRunFolder(room, name, number);
  await writeDocument(room.disk, room.paths.beginningFile(name, number), beginningDocument, beginning, room.random);
}

export async function readBeginning(room: Room, name: JobName, number: number): Promise<Beginning | null> {
  return readDocument(room.disk, room.paths.beginningFile(name, number), beginningDocument);
}

/** A folder of a run that was begun and never written down. */
export type UnfinishedRun = { readonly number: number; readonly folder: string; readonly undoFolder: string };

export async function unfinishedRuns(room: Room, name: JobName): Promise<readonly UnfinishedRun[]> {
  const { disk, paths } = room;
  const found: UnfinishedRun[] = [];
  for (const number of await runNumbers(room, name)) {
    if ((await disk.status(paths.runFile(name, number))) !== null) continue;
    found.push({ number, folder: paths.run(name, number), undoFolder: paths.undo(name, number) });
  }
  return found;
}

export async function makeRunFolder(room: Room, name: JobName, number: number): Promise<string> {
  const folder = room.paths.run(name, number);
  await ensureFolder(room.disk, room.paths.root, folder);
  return folder;
}

/**
 * Its undo folder goes first (the files are as they were before it): the next restore has the same number, and wants an unused one.
 * Harmless if it is gone. A crash in the middle leaves the folder whole, or a `.gone-…` for the next sweep.
 */
export async function removeRunFolder(room: Room, name: JobName, number: number): Promise<void> {
  const undo = room.paths.undo(name, number);
  await removeWhole(room.disk, undo, path.join(path.dirname(undo), `.gone-${number}`));
  await removeWhole(room.disk, room.paths.run(name, number), path.join(room.paths.runs(name), `.gone-${number}`));
}

async function runNumbers(room: Room, name: JobName): Promise<readonly number[]> {
  const entries = await listIfThere(room.disk, room.paths.runs(name));
  return entries.flatMap((entry) => numberOf(entry.name) ?? []).toSorted((a, b) => a - b);
}

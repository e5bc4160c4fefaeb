import { constants, lstatSync, mkdirSync, statSync } from "node:fs";
import { chmod, chown, copyFile, mkdir, open } from "node:fs/promises";
import path from "node:path";
import type { Capture, CapturedFile, CapturedFolder } from "../../domain/captured.ts";
import { Fault } from "../../faults/fault.ts";
import { setAttributes } from "../files/attributes.ts";
import { whyChanged } from "../files/examine.ts";
import { makeFifo } from "../files/fifo.ts";
import { inFolderOf } from "../files/held-folder.ts";
import { storedPath } from "../files/put-back-plan.ts";
import { findRegrowth, type Piece, regrow } from "../files/regrow.ts";
import { targetFault, vaultFault } from "../files/translate.ts";
import { type Place, placeOf } from "./view.ts";

/** What the copies are made from, and for: `folder`/upper/N is the writable side of place N. */
export type CopyRequest = {
  readonly folder: string;
  readonly places: readonly Place[];
  readonly capture: Capture;
  readonly point: number;
  readonly generationFolder: string;
  readonly laterUndo: readonly string[];
};

/**
 * Writes the point's files as they were at the freeze to the writable sides of the view, where they hide the live ones; those are only
 * read. Nothing is synced: a crash makes the drill void. Faults: `file-changed`, `file-unrestorable`, `space-short`, `vault-full`.
 */
export async function makePrivateCopies(request: CopyRequest): Promise<void> {
  const { folder, places, capture } = request;
  for (const [number, place] of places.entries()) await makeSides(folder, number, place.path);
  const upper = (file: string): string | null => {
    const number = placeOf(places, file);
    const place = places[number];
    if (place?.kind !== "copies") return null;
    return path.join(folder, "upper", String(number), path.relative(place.path, file));
  };
  for (const captured of capture.folders) await onDisk(folder, async () => makePrivateFolder(captured, upper));
  for (const file of capture.files) {
    const target = upper(file.path);
    // In a place that is read-only here the live file is shown, and the job's writing to it fails.
    if (target === null) continue;
    await onDisk(folder, async () => makeParents(file.path, upper));
    if (file.how === "copy") await onDisk(folder, async () => fill(target, file, async (to) => copyStored(file, request, to)));
    else await makeFromPieces(target, file, request);
  }
}

/** The overlay takes its top folder's owner and mode from the writable side. */
async function makeSides(folder: string, number: number, live: string): Promise<void> {
  for (const side of ["upper", "lower", "work"])
    await mkdir(path.join(folder, side, String(number)), { recursive: true, mode: 0o700 });
  const stats = statSync(live, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) await likeOne(path.join(folder, "upper", String(number)), stats);
}

async function makePrivateFolder(captured: CapturedFolder, upper: (file: string) => string | null): Promise<void> {
  const target = upper(captured.path);
  if (target === null) return;
  await makeParents(captured.path, upper);
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return;
  if (captured.fifo) return makeFifo(target, captured);
  await mkdir(target, { mode: 0o700 });
  await likeOne(target, captured);
}

/** The folders above a file, as the live ones are; one that is not there any more was captured, and has been made. */
async function makeParents(file: string, upper: (file: string) => string | null): Promise<void> {
  const missing: string[] = [];
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    const target = upper(at);
    if (target === null || lstatSync(target, { throwIfNoEntry: false }) !== undefined) break;
    missing.unshift(at);
  }
  for (const live of missing) {
    const target = upper(live) ?? "";
    mkdirSync(target, { mode: 0o700 });
    const stats = lstatSync(live, { throwIfNoEntry: false });
    if (stats) await likeOne(target, stats);
  }
}

async function likeOne(
  target: string,
  { uid, gid, mode }: { readonly uid: number; readonly gid: number; readonly mode: number },
): Promise<void> {
  await chown(target, uid, gid);
  await chmod(target, mode & 0o7777);
}

async function copyStored(file: CapturedFile, { generationFolder }: CopyRequest, to: string): Promise<void> {
  await copyFile(storedPath(file, generationFolder), to, constants.COPYFILE_FICLONE);
}

/** A file that only grew: its beginning as it is there, or put together from what later restores cut off. */
async function makeFromPieces(target: string, file: CapturedFile, { folder, point, laterUndo }: CopyRequest): Promise<void> {
  const pieces = await piecesOf(file, point, laterUndo).catch((error: unknown) => {
    throw targetFault(error, file.path, 0);
  });
  const write = async (): Promise<void> =>
    fill(target, file, async (to) => {
      const handle = await open(to, constants.O_RDWR);
      try {
        await regrow(handle, { keeps: 0, pieces });
      } finally {
        await handle.close();
      }
    });
  await onDisk(folder, async () => inFolderOf(file.path, write));
}

async function piecesOf(file: CapturedFile, point: number, laterUndo: readonly string[]): Promise<readonly Piece[]> {
  const why = await whyChanged(file);
  if (why === null) return [{ source: file.path, from: 0, to: file.size }];
  const regrowth = await findRegrowth(file, laterUndo);
  if (regrowth === null) throw Fault.of("file-changed", { file: file.path, point, why });
  return [{ source: file.path, from: 0, to: regrowth.keeps }, ...regrowth.pieces];
}

/** Makes the file, has it filled, and gives it the owner, mode and time it had. */
async function fill(target: string, file: CapturedFile, write: (to: string) => Promise<void>): Promise<void> {
  const handle = await open(target, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    await write(`/proc/self/fd/${handle.fd}`);
    setAttributes(handle.fd, file);
  } finally {
    await handle.close();
  }
}

async function onDisk(folder: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw error instanceof Fault ? error : vaultFault(error, folder);
  }
}

import { constants, fsyncSync, ftruncateSync } from "node:fs";
import { copyFile, open, rename, rm, type FileHandle } from "node:fs/promises";
import { setAttributes, type Attributes } from "./attributes.ts";
import { withRegularFile } from "./digest.ts";
import { standingFile, unrestorable } from "./examine.ts";
import { regrow, type Regrowth } from "./regrow.ts";
import { inFolderOf } from "./held-folder.ts";

/** Writes `source`'s content beside `path`, as `temporary`, whole and synced. A crash leaves at most that file. */
export async function writeBeside(path: string, temporary: string, source: string, attributes: Attributes): Promise<void> {
  await inFolderOf(path, async ({ sibling }) => {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(sibling(temporary), flags, 0o600);
    try {
      await fill(handle, source, attributes);
    } finally {
      await handle.close();
    }
  });
}

/** Gives what {@link writeBeside} wrote its name, in one step. */
export async function renameOver(path: string, temporary: string): Promise<void> {
  await inFolderOf(path, async ({ file, sibling }) => rename(sibling(temporary), file));
}

/** Takes a file away; one that is not there is fine. `name`: another one in the same folder. */
export async function removeFile(path: string, name?: string): Promise<void> {
  await inFolderOf(path, async ({ file, sibling }) => rm(name === undefined ? file : sibling(name), { force: true }));
}

/** Writes `source`'s content over the file, which keeps its inode and so its other names. Not atomic: the undo folder makes up for it. */
export async function writeOver(path: string, source: string, attributes: Attributes): Promise<void> {
  await changing(path, async (handle) => fill(handle, source, attributes));
}

/** Cuts the file to `size`, which it must have, then sets its attributes. */
export async function cutBack(path: string, size: number, attributes: Attributes): Promise<void> {
  await changing(path, async (handle) => {
    ftruncateSync(handle.fd, size);
    finish(handle, attributes);
  });
}

/** Puts `source` behind the first `from` bytes, whatever stands there now. `file-unrestorable` if those are not there any more. */
export async function putTail(path: string, from: number, source: string, attributes: Attributes): Promise<void> {
  await changing(path, async (handle) => {
    if ((await handle.stat()).size < from)
      throw unrestorable(path, `its first ${from} bytes are gone`, `its end is kept in ${source}`);
    ftruncateSync(handle.fd, from);
    await withRegularFile(source, async (tail) => copyRange(tail, 0, handle, from));
    finish(handle, attributes);
  });
}

/** Cuts the file to what stays of it and puts the pieces of older restores behind, then sets its attributes. */
export async function regrowFile(path: string, regrowth: Regrowth, attributes: Attributes): Promise<void> {
  await changing(path, async (handle) => {
    await regrow(handle, regrowth);
    finish(handle, attributes);
  });
}

/** Sets mode, owner and time, synced. */
export async function restoreAttributes(path: string, attributes: Attributes): Promise<void> {
  await changing(path, async (handle) => {
    finish(handle, attributes);
  });
}

/** Copies the bytes of `source` from `start` to its end into `target` at `at`; a whole file by reflink where that can be. */
export async function copyRange(source: FileHandle, start: number, target: FileHandle, at: number): Promise<void> {
  if (start === 0 && at === 0)
    return copyFile(`/proc/self/fd/${source.fd}`, `/proc/self/fd/${target.fd}`, constants.COPYFILE_FICLONE);
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let done = 0; ;) {
    const { bytesRead } = await source.read(buffer, 0, buffer.length, start + done);
    if (bytesRead === 0) return;
    for (let written = 0; written < bytesRead;) {
      written += (await target.write(buffer, written, bytesRead - written, at + done + written)).bytesWritten;
    }
    done += bytesRead;
  }
}

async function changing(path: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  await inFolderOf(path, async ({ file }) => {
    if (standingFile(path) === null) throw unrestorable(path, "it is gone", "put it back from a copy, then try again");
    const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      await work(handle);
    } finally {
      await handle.close();
    }
  });
}

/** Through the open descriptor: a reflink where the filesystem can, and no path that could lead elsewhere by now. */
async function fill(handle: FileHandle, source: string, attributes: Attributes): Promise<void> {
  await copyFile(source, `/proc/self/fd/${handle.fd}`, constants.COPYFILE_FICLONE);
  finish(handle, attributes);
}

function finish(handle: FileHandle, attributes: Attributes): void {
  setAttributes(handle.fd, attributes);
  fsyncSync(handle.fd);
}

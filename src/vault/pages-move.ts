import { createHash } from "node:crypto";
import { constants, copyFile, open, rename } from "node:fs/promises";
import type { Pace } from "../engine/ports.ts";
import { type Digest, DigestWriter } from "./pages-write.ts";
import { readAhead } from "./pages-ahead.ts";

/** Bytes read at once. */
const BLOCK = 2 << 20;

/**
 * Moves a file as it is and digests it, reading it once. On another file system it is copied; the original is then left to
 * whoever throws its folder away. `onBytes` hears of every block.
 */
export async function moveFile(from: string, to: string, onBytes: (bytes: number) => void): Promise<Moved> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    const digest = await copyBlocks(from, to, onBytes);
    return { digest, bytesWritten: digest.bytes };
  }
  return { digest: await digestFile(to, onBytes), bytesWritten: 0 };
}

export type Moved = { readonly digest: Digest; readonly bytesWritten: number };

/** Copies a file: without moving a byte where the file system can, else at the pace. */
export async function copyAtPace(from: string, to: string, pace: Pace): Promise<void> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    await copyBlocks(from, to, () => undefined, pace);
  }
}

async function copyBlocks(from: string, to: string, onBytes: (bytes: number) => void, pace?: Pace): Promise<Digest> {
  const writer = await DigestWriter.create(to, pace);
  try {
    for await (const block of blocksOf(from, pace)) {
      await writer.push(block);
      onBytes(block.length);
    }
    return await writer.end();
  } finally {
    await writer.close();
  }
}

/** Length and SHA-256 of what can be read. */
export async function digestFile(file: string, onBytes: (bytes: number) => void, pace?: Pace): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const block of blocksOf(file, pace)) {
    hash.update(block);
    bytes += block.length;
    onBytes(block.length);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** A file's bytes from begin to end; a block is good until the next one is asked for. */
export async function* blocksOf(file: string, pace?: Pace): AsyncGenerator<Buffer, void> {
  const handle = await open(file, "r");
  try {
    const size = (await handle.stat()).size;
    const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(BLOCK, Math.max(size, 1))));
    let at = 0;
    yield* readAhead(async (turn) => {
      const buffer = buffers[turn] ?? Buffer.alloc(0);
      await pace?.(Math.max(0, Math.min(buffer.length, size - at)));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      at += bytesRead;
      return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
    });
  } finally {
    await handle.close();
  }
}

import { createHash } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { type Digest, DigestWriter } from "./pages-write.ts";
import { readAhead } from "./pages-ahead.ts";

/** Bytes read at once. */
const BLOCK = 2 << 20;

/**
 * Moves a file as it is and digests it, reading it once. On another file system it is copied; the original is then left to
 * whoever throws its folder away. `onBytes` hears of every block.
 */
export async function moveFile(from: string, to: string, onBytes: (bytes: number) => void): Promise<Digest> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    const writer = await DigestWriter.create(to);
    try {
      for await (const block of blocksOf(from)) {
        await writer.push(block);
        onBytes(block.length);
      }
      return await writer.end();
    } finally {
      await writer.close();
    }
  }
  return digestFile(to, onBytes);
}

/** Length and SHA-256 of what can be read. */
export async function digestFile(file: string, onBytes: (bytes: number) => void): Promise<Digest> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const block of blocksOf(file)) {
    hash.update(block);
    bytes += block.length;
    onBytes(block.length);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** A file's bytes from begin to end; a block is good until the next one is asked for. */
async function* blocksOf(file: string): AsyncGenerator<Buffer, void> {
  const handle = await open(file, "r");
  try {
    const size = (await handle.stat()).size;
    const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(BLOCK, Math.max(size, 1))));
    let at = 0;
    yield* readAhead(async (turn) => {
      const buffer = buffers[turn] ?? Buffer.alloc(0);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
      at += bytesRead;
      return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
    });
  } finally {
    await handle.close();
  }
}

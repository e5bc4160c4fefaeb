import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/** Bytes at the end of a captured file by which it is known again. */
export const tailBytes = 64 * 1024;
const chunkBytes = 1024 * 1024;

/** sha256 (hex) of the bytes from `from` up to `to`; `null` if the file ends before `to`. */
export async function digestRange(handle: FileHandle, from: number, to: number): Promise<string | null> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(chunkBytes, to - from)));
  for (let at = from; at < to;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, to - at), at);
    if (bytesRead === 0) return null;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/** sha256 of the last `min(size, 64 KiB)` of the first `size` bytes; `null` if the file is shorter. */
export async function digestTail(handle: FileHandle, size: number): Promise<string | null> {
  return digestRange(handle, Math.max(0, size - tailBytes), size);
}

/** Have both files the same bytes? */
export async function sameContent(one: string, other: string): Promise<boolean> {
  return withRegularFile(one, async (left) =>
    withRegularFile(other, async (right) => {
      const [leftBuffer, rightBuffer] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
      const size = (await left.stat()).size;
      if ((await right.stat()).size !== size) return false;
      for (let at = 0; at < size; at += chunkBytes) {
        const length = Math.min(chunkBytes, size - at);
        await fill(left, leftBuffer, length, at);
        await fill(right, rightBuffer, length, at);
        if (leftBuffer.compare(rightBuffer, 0, length, 0, length) !== 0) return false;
      }
      return true;
    }),
  );
}

/** Opens a file for reading, links not followed, and closes it again. Never waits for the other end of a fifo. */
export async function withRegularFile<T>(path: string, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return await work(handle);
  } finally {
    await handle.close();
  }
}

async function fill(handle: FileHandle, buffer: Buffer, length: number, at: number): Promise<void> {
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) throw Object.assign(new Error("the file became shorter while it was read"), { code: "EIO" });
    done += bytesRead;
  }
}

import { open, type FileHandle } from "node:fs/promises";

/** Read from both sides at once, and the piece that is written anew where they differ; bytes. */
const blockBytes = 2 * 1024 * 1024;
const pieceBytes = 64 * 1024;

/**
 * Makes an earlier copy of a file what the file is now. Every byte of both is read and compared, and only what differs is written: from
 * the page cache that takes about half the time of a copy, and leaves the disk alone. Gives the bytes written.
 */
export async function topUp(source: FileHandle, copy: string): Promise<number> {
  const target = await open(copy, "r+");
  try {
    const pairs = [0, 1].map(() => [Buffer.allocUnsafeSlow(blockBytes), Buffer.allocUnsafeSlow(blockBytes)] as const);
    let written = 0;
    let at = 0;
    let next = readBoth(source, target, pairs[0], at);
    for (let turn = 1; ; turn += 1) {
      const { now, before } = await next;
      const here = at;
      at += now.length;
      if (now.length > 0) next = readBoth(source, target, pairs[turn % 2], at);
      written += await patch(target, here, now, before);
      if (now.length === 0) break;
    }
    await target.truncate(at);
    return written;
  } finally {
    await target.close();
  }
}

type Both = { readonly now: Buffer; readonly before: Buffer };

async function readBoth(
  source: FileHandle,
  target: FileHandle,
  pair: readonly [Buffer, Buffer] | undefined,
  at: number,
): Promise<Both> {
  if (pair === undefined) throw new Error("there are two pairs of buffers");
  const [now, before] = await Promise.all([fill(source, pair[0], at), fill(target, pair[1], at)]);
  return { now, before };
}

async function fill(handle: FileHandle, buffer: Buffer, at: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function patch(target: FileHandle, at: number, now: Buffer, before: Buffer): Promise<number> {
  if (now.equals(before)) return 0;
  let written = 0;
  for (let from = 0; from < now.length; from += pieceBytes) {
    const piece = now.subarray(from, from + pieceBytes);
    if (piece.equals(before.subarray(from, from + pieceBytes))) continue;
    for (let done = 0; done < piece.length;)
      done += (await target.write(piece, done, piece.length - done, at + from + done)).bytesWritten;
    written += piece.length;
  }
  return written;
}

import type { FileHandle } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { CapturedFile } from "../../domain/captured.ts";
import { tailBytes, withRegularFile } from "./digest.ts";
import { standingFile } from "./examine.ts";
import { readUndoList } from "./undo-list.ts";

/** Bytes `from` up to `to` of the file at `source`. */
export type Piece = { readonly source: string; readonly from: number; readonly to: number };

/** How a file becomes what it was: its first `keeps` bytes stay, the pieces come behind them. */
export type Regrowth = { readonly keeps: number; readonly pieces: readonly Piece[] };

/**
 * A file that is only appended to keeps nothing in a generation but its length. Going back to an older point cuts it, and the job then
 * writes other lines behind: what a newer point's file held is in the undo folders of the restores since. Here that is put together
 * again, by taking those restores back one after the other, in mind only. `laterUndo`: their folders, newest first.
 *
 * `null`: it cannot be put together, or what comes out is not what the capture's tail says. Reads the last 64 KiB.
 */
export async function findRegrowth(file: CapturedFile, laterUndo: readonly string[]): Promise<Regrowth | null> {
  const standing = standingFile(file.path);
  if (standing === null || file.tailSha256 === "") return null;
  let content: readonly Piece[] = [{ source: file.path, from: 0, to: Number(standing.size) }];
  for (const folder of laterUndo) {
    const list = await readUndoList(folder);
    const entry = list?.files.find(({ path }) => path === file.path);
    if (!entry || entry.saved === null || entry.before === null) continue;
    const kept = firstBytes(content, entry.savedFrom);
    if (kept === null) return null;
    content = [...kept, { source: join(folder, entry.saved), from: 0, to: entry.before.size - entry.savedFrom }];
  }
  const whole = firstBytes(content, file.size);
  if (whole === null || (await digestLast(whole, Math.min(file.size, tailBytes))) !== file.tailSha256) return null;
  const [first, ...rest] = whole;
  const staysFirst = first !== undefined && first.source === file.path && first.from === 0;
  return staysFirst ? { keeps: first.to, pieces: rest } : { keeps: 0, pieces: whole };
}

/** Cuts the open file to what stays, and writes the pieces behind it. */
export async function regrow(handle: FileHandle, { keeps, pieces }: Regrowth): Promise<void> {
  await handle.truncate(keeps);
  let at = keeps;
  for (const piece of pieces) {
    await eachBlock(piece, async (block) => {
      await handle.write(block, 0, block.length, at);
      at += block.length;
    });
  }
}

/** `null` if there are fewer. */
function firstBytes(pieces: readonly Piece[], count: number): readonly Piece[] | null {
  const taken: Piece[] = [];
  let left = count;
  for (const piece of pieces) {
    const length = Math.min(left, piece.to - piece.from);
    if (length > 0) taken.push({ ...piece, to: piece.from + length });
    left -= length;
  }
  return left === 0 ? taken : null;
}

async function digestLast(pieces: readonly Piece[], count: number): Promise<string> {
  const hash = createHash("sha256");
  let skip = pieces.reduce((sum, piece) => sum + piece.to - piece.from, 0) - count;
  for (const piece of pieces) {
    const passed = Math.min(skip, piece.to - piece.from);
    skip -= passed;
    await eachBlock({ ...piece, from: piece.from + passed }, async (block) => void hash.update(block));
  }
  return hash.digest("hex");
}

async function eachBlock({ source, from, to }: Piece, act: (block: Buffer) => Promise<void>): Promise<void> {
  await withRegularFile(source, async (input) => {
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(1024 * 1024, to - from)));
    for (let at = from; at < to;) {
      const { bytesRead } = await input.read(buffer, 0, Math.min(buffer.length, to - at), at);
      if (bytesRead === 0) throw Object.assign(new Error(`${source} is shorter than it was`), { code: "EIO" });
      await act(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  });
}

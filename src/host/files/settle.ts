import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Capture, CapturedFile, NeededFile } from "../../domain/captured.ts";
import type { FileDigests } from "../../domain/manifest.ts";
import { digestRange, digestTail, tailBytes, withRegularFile } from "./digest.ts";
import { errnoOf, vaultFault } from "./translate.ts";

/** A larger needed file is known by size and time alone: reading it at every generation costs more than it tells. */
export const largestDigested = 256 * 1024 * 1024;

/**
 * After the thaw: makes what was captured lasting, and fills in tails and digests. Files kept by their length come first: until
 * they are synced, a power cut would leave NUL bytes at their end. A file that the job removed or cut meanwhile becomes
 * `left-out`, with the reason. May be repeated. Faults: `io-failed`, `vault-full`.
 */
export async function settle(
  capture: Capture,
  folder: string,
  earlier: Capture | null,
): Promise<{ readonly capture: Capture; readonly digests: FileDigests }> {
  const files = new Map<string, CapturedFile>();
  for (const file of capture.files) {
    if (file.stored === null) files.set(file.path, await settleInPlace(file));
  }
  const digests: Record<string, FileDigests[string]> = {};
  for (const file of capture.files) {
    if (file.stored === null) continue;
    const { tail, bytes, sha256 } = await settleCopy(join(folder, file.stored), folder);
    files.set(file.path, { ...file, tailSha256: tail });
    digests[file.stored] = { bytes, sha256 };
  }
  const known = new Map(earlier?.needed.map((file) => [file.path, file]));
  const needed: NeededFile[] = [];
  for (const file of capture.needed) needed.push({ ...file, sha256: await digestNeeded(file, known.get(file.path)) });
  return { capture: { ...capture, files: capture.files.map((file) => files.get(file.path) ?? file), needed }, digests };
}

/** For `length` and `left-out`: the file itself is what a restore will go by. */
async function settleInPlace(file: CapturedFile): Promise<CapturedFile> {
  try {
    return await withRegularFile(file.path, async (handle) => {
      const stats = await handle.stat();
      if (!stats.isFile()) return leftOut(file, "it is not a regular file any more");
      await handle.sync();
      const tailSha256 = await digestTail(handle, file.size);
      return tailSha256 === null ? leftOut(file, "it was cut short before it could be synced") : { ...file, tailSha256 };
    });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === null) throw error;
    return leftOut(file, errno === "ENOENT" ? "it was removed before it could be synced" : `it could not be synced (${errno})`);
  }
}

function leftOut(file: CapturedFile, why: string): CapturedFile {
  return { ...file, how: "left-out", why: `${file.why}; ${why}`, tailSha256: "" };
}

async function settleCopy(path: string, folder: string): Promise<{ tail: string; bytes: number; sha256: string }> {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
    try {
      await handle.chmod(0o600);
      await handle.sync();
      const bytes = (await handle.stat()).size;
      const sha256 = await digestRange(handle, 0, bytes);
      const tail = bytes <= tailBytes ? sha256 : await digestTail(handle, bytes);
      if (sha256 === null || tail === null) throw Object.assign(new Error(`${path} became shorter`), { code: "EIO" });
      return { tail, bytes, sha256 };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw vaultFault(error, folder);
  }
}

/** Empty if the file is too large, or no longer the one that was seen: then size and time alone must do. */
async function digestNeeded(file: NeededFile, before: NeededFile | undefined): Promise<string> {
  if (before !== undefined && before.sha256 !== "" && isSameStanding(before, file)) return before.sha256;
  if (file.size > largestDigested) return "";
  try {
    return await withRegularFile(file.path, async (handle) => {
      const standing = async (): Promise<boolean> => {
        const { dev, ino, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
        return isSameStanding(file, { size: Number(size), mtimeNs: `${mtimeNs}`, ctimeNs: `${ctimeNs}`, inode: `${dev}:${ino}` });
      };
      if (!(await standing())) return "";
      const sha256 = await digestRange(handle, 0, file.size);
      return sha256 !== null && (await standing()) ? sha256 : "";
    });
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return "";
  }
}

type Standing = Pick<NeededFile, "size" | "mtimeNs" | "ctimeNs" | "inode">;

function isSameStanding(one: Standing, other: Standing): boolean {
  return one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs && one.inode === other.inode;
}

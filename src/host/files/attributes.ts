import { fchmodSync, fchownSync, fstatSync, type BigIntStats } from "node:fs";
import koffi from "koffi";

/** What is put back besides the content. Mode: `st_mode & 07777`. */
export type Attributes = { readonly mode: number; readonly uid: number; readonly gid: number; readonly mtimeNs: string };

/** Gives an open file its owner, mode and time of modification, in that order: chown drops set-id bits, all move ctime only. */
export function setAttributes(fd: number, attributes: Attributes): void {
  const now = fstatSync(fd, { bigint: true });
  const { uid, gid, mode } = attributes;
  if (Number(now.uid) !== uid || Number(now.gid) !== gid) fchownSync(fd, uid, gid);
  fchmodSync(fd, mode);
  setModified(fd, attributes.mtimeNs);
}

export function attributesOf(stats: BigIntStats): Attributes {
  return { mode: Number(stats.mode & 0o7777n), uid: Number(stats.uid), gid: Number(stats.gid), mtimeNs: stats.mtimeNs.toString() };
}

export function sameAttributes(one: Attributes, other: Attributes): boolean {
  return one.mode === other.mode && one.uid === other.uid && one.gid === other.gid && one.mtimeNs === other.mtimeNs;
}

const UTIME_OMIT = (1n << 30n) - 2n;
const nanosecondsPerSecond = 1_000_000_000n;

/** Sets the modification time to the nanosecond; Node's own `futimes` goes through a double and loses some 200 ns. (futimens(2)) */
export function setModified(fd: number, mtimeNs: string): void {
  const time = BigInt(mtimeNs);
  const part = ((time % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond;
  const times = BigInt64Array.of(0n, UTIME_OMIT, (time - part) / nanosecondsPerSecond, part);
  if (futimens()(fd, times) === 0) return;
  const errno = Object.entries(koffi.os.errno).find(([, value]) => value === koffi.errno())?.[0] ?? "EIO";
  throw Object.assign(new Error(`futimens: ${errno}`), { code: errno });
}

let loaded: ((fd: number, times: BigInt64Array) => number) | null = null;

function futimens(): (fd: number, times: BigInt64Array) => number {
  loaded ??= koffi.load(null).func("int futimens(int fd, const void *times)") as (fd: number, times: BigInt64Array) => number;
  return loaded;
}

import { koffi } from "./koffi.ts";

/**
 * The ranges of an open file that no block stands behind, in bytes, in order (lseek(2), SEEK_DATA and SEEK_HOLE). They read as zeros. A
 * file system that keeps no such record tells of none. Moves the file's position. Throws the system's own error.
 */
export function holesIn(fd: number, size: number): readonly { readonly from: number; readonly to: number }[] {
  const holes: { from: number; to: number }[] = [];
  for (let at = 0; at < size;) {
    const data = seek(fd, at, SEEK_DATA);
    if (data === null) return [];
    if (data > at) holes.push({ from: at, to: Math.min(data, size) });
    if (data >= size) break;
    at = seek(fd, data, SEEK_HOLE) ?? size;
  }
  return holes;
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

type Lseek = (fd: number, offset: number, whence: number) => number;

let loaded: Lseek | undefined;

/** `Infinity`: nothing but a hole from there on; `null`: not known here. */
function seek(fd: number, offset: number, whence: number): number | null {
  loaded ??= koffi().load(null).func("int64_t lseek(int, int64_t, int)") as Lseek;
  const found = Number(loaded(fd, offset, whence));
  if (found >= 0) return found;
  const errno = koffi().errno();
  if (errno === koffi().os.errno["ENXIO"]) return Infinity;
  if (errno === koffi().os.errno["EINVAL"] || errno === koffi().os.errno["EOPNOTSUPP"]) return null;
  const code = Object.entries(koffi().os.errno).find(([, value]) => value === errno)?.[0] ?? "EIO";
  throw Object.assign(new Error(`${code}: lseek`), { code, errno: -errno, syscall: "lseek" });
}

/**
 * What the files a job writes were at the moment of the freeze.
 *
 * - `length`: opened with O_APPEND by every writer, so the first `size` bytes are what they were; nothing is stored.
 * - `copy`: the content is in the generation's `files/` folder.
 * - `left-out`: over the limit; nothing is stored, and a restore needs the file to be as it was, or to have only grown.
 */
export type CapturedFile = {
  readonly path: string;
  readonly how: "length" | "copy" | "left-out";
  /** Why it was captured (or left out), in words for the report. */
  readonly why: string;
  readonly size: number;
  /** Permission bits, as in `st_mode & 07777`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch, as a decimal string (past 2^53). */
  readonly mtimeNs: string;
  /** sha256 of the last `min(size, 64 KiB)` bytes, hex: a file that was rotated or rewritten is not cut back by mistake. */
  readonly tailSha256: string;
  /** For `copy`: its name inside the generation directory, `files/N`. */
  readonly stored: string | null;
};

/** A folder that a reboot may take away and the job needs: of captured files, bound sockets, working directories. */
export type CapturedFolder = {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** It is no folder but a named pipe: like a folder it has no content of its own (what is in it is in CRIU's images). */
  readonly fifo?: true;
};

/** A file the tree has mapped or open for reading only: CRIU reads it again at restore, so it must be the same. */
export type NeededFile = {
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: string;
  /** Device and inode as they were, `dev:ino`; with size, mtime and ctime equal the content is not read again. */
  readonly inode: string;
  readonly ctimeNs: string;
  readonly sha256: string;
};

export type Capture = {
  readonly files: readonly CapturedFile[];
  readonly folders: readonly CapturedFolder[];
  readonly needed: readonly NeededFile[];
};

/**
 * What the vault asks of a file system, one system call each, so that a test can cut the power between any two of them.
 * Every method rejects with the system's own error (`code` is the errno's name).
 *
 * Nothing but `sync` makes anything durable: a file's bytes by a sync of the file, its name (made, renamed, removed) by a
 * sync of the folder that holds the name (fsync(2)).
 */
export interface Disk {
  read(file: string): Promise<Buffer>;
  list(folder: string): Promise<readonly DiskEntry[]>;
  /** Of the name itself, a link is not followed; `null`: there is none. */
  status(path: string): Promise<DiskStatus | null>;
  /** Names of the folders in `folder` that hold an entry named `file`; links are not followed. One question, since there may be ten thousand. */
  foldersWith(folder: string, file: string): Promise<readonly string[]>;
  readLink(link: string): Promise<string>;
  /** Makes a new file (0600) with these bytes; EEXIST if the name is taken. */
  create(file: string, bytes: Buffer): Promise<void>;
  /** Makes a new folder (0700); EEXIST if the name is taken. */
  makeFolder(folder: string): Promise<void>;
  /** Gives a file a second name; EEXIST if that is taken. */
  link(file: string, second: string): Promise<void>;
  /** Within one folder only. */
  rename(from: string, to: string): Promise<void>;
  /** Swaps two names of one folder in one step; EINVAL or ENOSYS where that cannot be done. */
  exchange(one: string, other: string): Promise<void>;
  removeFile(file: string): Promise<void>;
  removeFolder(folder: string): Promise<void>;
  /** Lets nobody but the owner in. */
  closeFolder(folder: string): Promise<void>;
  /** fsync of a file or a folder. */
  sync(path: string): Promise<void>;
}

export type DiskEntry = { readonly name: string; readonly type: EntryType };

export type DiskStatus = {
  readonly type: EntryType;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  /** Milliseconds since the epoch. */
  readonly changedAt: number;
};

export type EntryType = "file" | "folder" | "link" | "other";

import { existsSync, lstatSync, readdirSync } from "node:fs";
import { chmod, link, lstat, mkdir, open, readdir, readFile, readlink, rename, rmdir, unlink, writeFile } from "node:fs/promises";
import type { Disk, EntryType } from "./disk.ts";

/** Swaps two names in one step, or throws the system's error. Node has no such call: who opens the vault brings it. */
export type Exchange = (one: string, other: string) => void;

/** The machine's own file systems. */
export function machineDisk(exchange: Exchange | null): Disk {
  return { ...nodeDisk, exchange: async (one, other) => (exchange ?? cannotExchange)(one, other) };
}

const cannotExchange: Exchange = (path) => {
  throw Object.assign(new Error("nobody here can exchange two names"), { code: "ENOSYS", errno: -38, path });
};

const nodeDisk: Omit<Disk, "exchange"> = {
  read: (file) => readFile(file),
  list: async (folder) => (await readdir(folder, { withFileTypes: true })).map((each) => ({ name: each.name, type: typeOf(each) })),
  async status(path) {
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (found === null) return null;
    return { type: typeOf(found), size: found.size, mode: found.mode & 0o7777, uid: found.uid, changedAt: found.mtimeMs };
  },
  async foldersWith(folder, file) {
    // A look takes two microseconds, and twenty times that when it is handed to another thread and back.
    const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return folders.map((entry) => entry.name).filter((name) => isThere(`${folder}/${name}/${file}`));
  },
  readLink: (path) => readlink(path),
  create: (file, bytes) => writeFile(file, bytes, { flag: "wx", mode: 0o600 }),
  makeFolder: (folder) => mkdir(folder, { mode: 0o700 }),
  link: (file, second) => link(file, second),
  rename: (from, to) => rename(from, to),
  removeFile: (file) => unlink(file),
  removeFolder: (folder) => rmdir(folder),
  closeFolder: (folder) => chmod(folder, 0o700),
  async sync(path) {
    // Reading is enough for fsync, and the only way to open a folder. A write error nobody has seen yet is told here too.
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function isThere(path: string): boolean {
  // The first question is the quickest, and nearly always the answer is yes; a no may also be an error, which the second one tells.
  return existsSync(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function typeOf(found: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): EntryType {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "folder";
  return found.isSymbolicLink() ? "link" : "other";
}

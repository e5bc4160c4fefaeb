import { createHash } from "node:crypto";
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileRules } from "../../../src/domain/job.ts";
import type { DescriptorFacts, MappingFacts, SocketFacts, TreeFacts } from "../../../src/domain/tree.ts";
import type { Files } from "../../../src/engine/ports.ts";
import { openFiles } from "../../../src/host/files/files.ts";

export const rules: FileRules = { include: [], exclude: [], limitBytes: 1024 * 1024 };

/** Folders of a job (`work`, `temporary`), a generation and an undo folder, and this process in the part of the job. */
export class Scene {
  readonly base = mkdtempSync(join(realpathSync(diskFolder()), "holdfast-files-"));
  readonly work = join(this.base, "work");
  readonly temporary = join(this.base, "temporary");
  readonly generation = join(this.base, "generation");
  readonly undoFolder = join(this.base, "undo");
  readonly files: Files = openFiles({ temporaryRoots: [this.temporary] });
  readonly #open: DescriptorFacts[] = [];
  readonly #mapped: MappingFacts[] = [];
  readonly sockets: SocketFacts[] = [];

  constructor() {
    for (const folder of [this.work, this.temporary, this.generation]) mkdirSync(folder);
  }

  /** Really opens the file, as the job would. */
  open(path: string, flags: number | string): number {
    const fd = openSync(path, flags, 0o644);
    const stats = fstatSync(fd, { bigint: true });
    const access = Number(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? 0);
    const inode = `${stats.dev}:${stats.ino}`;
    const type = stats.isDirectory() ? "directory" : "file";
    const flagBits = Number.parseInt(String(access), 8);
    const more = { deleted: false, type, flags: flagBits, position: 0, inode, size: Number(stats.size), hardLinks: 1 } as const;
    this.#open.push({ fd, target: path, ...more });
    return fd;
  }

  map(path: string, more: Partial<MappingFacts>): void {
    const { dev, ino } = lstatSync(path);
    this.#mapped.push({
      path,
      deleted: false,
      shared: false,
      writable: false,
      type: "file",
      inode: `${dev}:${ino}`,
      bytes: 1,
      ...more,
    });
  }

  /** Changes what the tree says of the descriptor, as stale or odd facts would. */
  restate(fd: number, more: Partial<DescriptorFacts>): void {
    const at = this.#open.findIndex((descriptor) => descriptor.fd === fd);
    const facts = this.#open[at];
    if (facts !== undefined) this.#open[at] = { ...facts, ...more };
  }

  tree(cwd = this.work): TreeFacts {
    const root = { pid: process.pid, startTicks: 1, bootId: "b" };
    const common = { ppid: 1, comm: "sim", state: "t", sessionPid: 1, isKernelThread: false, tracerPid: 0, startTicks: 1 };
    const held = { residentBytes: 0, namespaces: {}, cwd, tmpdir: null, descriptors: this.#open, mappings: this.#mapped };
    const processes = [{ pid: process.pid, vpid: process.pid, ...common, ...held }];
    return { root, rootVpid: process.pid, processes, strays: [], sockets: this.sockets, locks: [] };
  }

  async captured(withRules: Partial<FileRules> = {}): ReturnType<Files["settle"]> {
    const capture = await this.files.capture(this.tree(), { ...rules, ...withRules }, this.generation, null);
    return this.files.settle(capture, this.generation, null);
  }

  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  remove(): void {
    this.close();
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Everything below `folder`, to the bit: kind, mode, owner, time, content. Inodes and change times are the kernel's own. */
export function snapshot(folder: string): Record<string, string> {
  const seen: Record<string, string> = {};
  const visit = (path: string): void => {
    const { mode, uid, gid, mtimeNs, size } = lstatSync(path, { bigint: true });
    const isFolder = (mode & 0o170000n) === 0o040000n;
    const content = isFolder ? "folder" : `${size} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
    seen[path.slice(folder.length)] = `${mode.toString(8)} ${uid}:${gid} ${mtimeNs} ${content}`;
    if (isFolder) for (const name of readdirSync(path).toSorted()) visit(join(path, name));
  };
  visit(folder);
  return seen;
}

/** Not a tmpfs: everything on one is temporary. */
function diskFolder(): string {
  return statfsSync(tmpdir()).type === 0x01021994 ? "/var/tmp" : tmpdir();
}

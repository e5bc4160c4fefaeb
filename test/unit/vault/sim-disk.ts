import path from "node:path";
import type { Disk, DiskEntry, DiskStatus } from "../../../src/vault/disk.ts";

/** Thrown by every call from the moment the power is gone. No system error: nothing can take it for an answer. */
export class PowerCut extends Error {}

/** What happens instead of the n-th changing call (counted from 0). */
export type Interruption = { readonly at: number; readonly how: "power-cut" | { readonly errno: string } };

/** One of `count` possibilities, from 0. */
export type Pick = (count: number) => number;

/**
 * A disk that forgets. A file's bytes last once the file was synced, a name once its folder was; what a crash makes of the rest is
 * picked: of each folder's unsynced changes any subset lasts, in no particular order, and an unsynced file is empty, zeros, torn or whole.
 * That is more than any one file system would do to us, and all that fsync(2) leaves open.
 */
export class SimDisk implements Disk {
  /** Changing calls so far, syncs included. */
  calls = 0;
  /** A sync of these is a lie. */
  forgets: "file" | "folder" | null = null;
  /** Can it exchange two names? */
  exchanges = true;
  #root: Folder;
  #interruption: Interruption | null = null;
  #dead = false;

  constructor(root: Folder = newFolder()) {
    this.#root = root;
  }

  /** The same disk with the same things unsynced. */
  clone(): SimDisk {
    return this.#likeThis(copy(this.#root, new Map()) as Folder);
  }

  interrupt(interruption: Interruption): void {
    this.calls = 0;
    this.#interruption = interruption;
  }

  /** What is on the disk when the machine is up again. */
  crashed(pick: Pick): SimDisk {
    return this.#likeThis(survivor(this.#root, pick, new Map()) as Folder);
  }

  #likeThis(root: Folder): SimDisk {
    const disk = new SimDisk(root);
    disk.exchanges = this.exchanges;
    return disk;
  }

  /** What CRIU and thin would write: uncounted, unsynced. */
  put(file: string, bytes: Buffer): void {
    this.#slip(file, { type: "file", bytes, synced: false });
  }

  putFolder(folder: string): void {
    this.#slip(folder, newFolder());
  }

  putLink(link: string, target: string): void {
    this.#slip(link, { type: "link", target });
  }

  /** Every path there is. */
  everything(): readonly string[] {
    const names: string[] = [];
    const visit = (folder: Folder, at: string): void => {
      for (const [name, node] of folder.entries) {
        names.push(`${at}/${name}`);
        if (node.type === "folder") visit(node, `${at}/${name}`);
      }
    };
    visit(this.#root, "");
    return names;
  }

  read(file: string): Promise<Buffer> {
    return this.#look(() => {
      const node = this.#node(file);
      if (node === null) throw errno("ENOENT", file);
      if (node.type !== "file") throw errno("EISDIR", file);
      return node.bytes;
    });
  }

  list(folder: string): Promise<readonly DiskEntry[]> {
    return this.#look(() => [...this.#folder(folder).entries].map(([name, node]) => ({ name, type: node.type })));
  }

  status(at: string): Promise<DiskStatus | null> {
    return this.#look(() => {
      const node = this.#node(at);
      if (node === null) return null;
      const mode = node.type === "file" ? 0o600 : 0o700;
      return {
        type: node.type,
        size: node.type === "file" ? node.bytes.length : 0,
        mode,
        uid: process.geteuid?.() ?? 0,
        changedAt: 0,
      };
    });
  }

  foldersWith(folder: string, file: string): Promise<readonly string[]> {
    return this.#look(() =>
      [...this.#folder(folder).entries].flatMap(([name, node]) => (node.type === "folder" && node.entries.has(file) ? [name] : [])),
    );
  }

  readLink(link: string): Promise<string> {
    return this.#look(() => {
      const node = this.#node(link);
      if (node?.type !== "link") throw errno("EINVAL", link);
      return node.target;
    });
  }

  create(file: string, bytes: Buffer): Promise<void> {
    return this.#add(file, { type: "file", bytes: Buffer.from(bytes), synced: false });
  }

  makeFolder(folder: string): Promise<void> {
    return this.#add(folder, newFolder());
  }

  link(file: string, second: string): Promise<void> {
    const node = this.#node(file);
    if (node === null) return Promise.reject(errno("ENOENT", file));
    return this.#add(second, node);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#change(() => {
      if (path.dirname(from) !== path.dirname(to)) throw new Error("a rename across folders is two changes");
      const folder = this.#folder(path.dirname(from));
      const [source, target] = [path.basename(from), path.basename(to)];
      const node = folder.entries.get(source);
      if (node === undefined) throw errno("ENOENT", from);
      const there = folder.entries.get(target);
      if (there?.type === "folder" && there.entries.size > 0) throw errno("ENOTEMPTY", to);
      folder.entries.delete(source);
      folder.entries.set(target, node);
      folder.unsynced.push({ from: source, to: target, node });
    });
  }

  exchange(one: string, other: string): Promise<void> {
    return this.#change(() => {
      if (!this.exchanges) throw errno("EINVAL", one);
      if (path.dirname(one) !== path.dirname(other)) throw new Error("an exchange across folders is two changes");
      const folder = this.#folder(path.dirname(one));
      const names = [path.basename(one), path.basename(other)] as const;
      const [node, second] = [folder.entries.get(names[0]), folder.entries.get(names[1])];
      if (node === undefined || second === undefined) throw errno("ENOENT", one);
      folder.entries.set(names[0], second).set(names[1], node);
      folder.unsynced.push({ swap: names, node, second });
    });
  }

  removeFile(file: string): Promise<void> {
    return this.#drop(file, (node) => {
      if (node.type === "folder") throw errno("EISDIR", file);
    });
  }

  removeFolder(folder: string): Promise<void> {
    return this.#drop(folder, (node) => {
      if (node.type !== "folder") throw errno("ENOTDIR", folder);
      if (node.entries.size > 0) throw errno("ENOTEMPTY", folder);
    });
  }

  closeFolder(folder: string): Promise<void> {
    return this.#change(() => void this.#folder(folder));
  }

  sync(at: string): Promise<void> {
    return this.#change(() => {
      const node = this.#node(at);
      if (node === null) throw errno("ENOENT", at);
      if (node.type === this.forgets) return;
      if (node.type === "file") node.synced = true;
      if (node.type !== "folder") return;
      node.durable = new Map(node.entries);
      node.unsynced = [];
    });
  }

  #add(at: string, node: Node): Promise<void> {
    return this.#change(() => {
      if (this.#node(at) !== null) throw errno("EEXIST", at);
      this.#slip(at, node);
    });
  }

  #slip(at: string, node: Node): void {
    const folder = this.#folder(path.dirname(at));
    const name = path.basename(at);
    folder.entries.set(name, node);
    folder.unsynced.push({ put: name, node });
  }

  #drop(at: string, check: (node: Node) => void): Promise<void> {
    return this.#change(() => {
      const folder = this.#folder(path.dirname(at));
      const name = path.basename(at);
      const node = folder.entries.get(name);
      if (node === undefined) throw errno("ENOENT", at);
      check(node);
      folder.entries.delete(name);
      folder.unsynced.push({ drop: name });
    });
  }

  async #look<T>(act: () => T): Promise<T> {
    if (this.#dead) throw new PowerCut();
    return act();
  }

  async #change(act: () => void): Promise<void> {
    if (this.#dead) throw new PowerCut();
    if (this.#interruption?.at === this.calls++) {
      if (this.#interruption.how !== "power-cut") throw errno(this.#interruption.how.errno, "the disk");
      this.#dead = true;
      throw new PowerCut();
    }
    act();
  }

  #folder(at: string): Folder {
    const node = this.#node(at);
    if (node === null) throw errno("ENOENT", at);
    if (node.type !== "folder") throw errno("ENOTDIR", at);
    return node;
  }

  #node(at: string): Node | null {
    let node: Node = this.#root;
    for (const name of path.normalize(at).split("/").filter(Boolean)) {
      if (node.type !== "folder") throw errno("ENOTDIR", at);
      const next: Node | undefined = node.entries.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }
}

type Node = File | Folder | Link;
type File = { readonly type: "file"; readonly bytes: Buffer; synced: boolean };
type Link = { readonly type: "link"; readonly target: string };
type Folder = { readonly type: "folder"; readonly entries: Map<string, Node>; durable: Map<string, Node>; unsynced: NameChange[] };
type NameChange =
  | { readonly put: string; readonly node: Node }
  | { readonly drop: string }
  | { readonly swap: readonly [string, string]; readonly node: Node; readonly second: Node }
  | { readonly from: string; readonly to: string; readonly node: Node };

function newFolder(): Folder {
  return { type: "folder", entries: new Map(), durable: new Map(), unsynced: [] };
}

function survivor(node: Node, pick: Pick, seen: Map<Node, Node>): Node {
  const known = seen.get(node);
  if (known !== undefined) return known;
  const kept = node.type === "file" ? survivingFile(node, pick) : node.type === "link" ? node : newFolder();
  seen.set(node, kept);
  if (node.type === "folder" && kept.type === "folder") {
    for (const [name, each] of survivingNames(node, pick)) kept.entries.set(name, survivor(each, pick, seen));
    kept.durable = new Map(kept.entries);
  }
  return kept;
}

function survivingFile(file: File, pick: Pick): File {
  if (file.synced) return { ...file };
  const { bytes } = file;
  const outcomes = [Buffer.alloc(0), bytes, Buffer.alloc(bytes.length), bytes.subarray(0, bytes.length >> 1)];
  return { type: "file", bytes: outcomes[pick(outcomes.length)] as Buffer, synced: true };
}

function survivingNames(folder: Folder, pick: Pick): Map<string, Node> {
  const names = new Map(folder.durable);
  for (const change of folder.unsynced) {
    if (pick(2) === 0) continue;
    if ("put" in change) names.set(change.put, change.node);
    else if ("drop" in change) names.delete(change.drop);
    else if ("swap" in change) names.set(change.swap[0], change.second).set(change.swap[1], change.node);
    else {
      names.delete(change.from);
      names.set(change.to, change.node);
    }
  }
  return names;
}

function copy(node: Node, seen: Map<Node, Node>): Node {
  const known = seen.get(node);
  if (known !== undefined) return known;
  const same: Node = node.type === "folder" ? newFolder() : { ...node };
  seen.set(node, same);
  if (node.type === "folder" && same.type === "folder") {
    for (const [name, each] of node.entries) same.entries.set(name, copy(each, seen));
    same.durable = new Map([...node.durable].map(([name, each]) => [name, copy(each, seen)]));
    same.unsynced = node.unsynced.map((change) => {
      if ("drop" in change) return change;
      const moved = { ...change, node: copy(change.node, seen) };
      return "second" in moved ? { ...moved, second: copy(moved.second, seen) } : moved;
    });
  }
  return same;
}

function errno(code: string, at: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${at}`), { code, errno: -1, path: at });
}

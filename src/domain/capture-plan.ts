import { temporaryRoot, type Places } from "./temporary-place.ts";
import type { DescriptorFacts, MappingFacts, TreeFacts } from "./tree.ts";

/** Which files of a tree are captured, how and why; decided from `/proc` alone, before any file is looked at. */
export type CapturePlan = {
  /** By path; each path once. Sizes are not known yet: a `copy` over the limit becomes `left-out` when it is met. */
  readonly files: readonly PlannedFile[];
  /** Folders in temporary places, and named pipes that the tree has open there, parents first. */
  readonly folders: readonly string[];
  /** Open or mapped for reading only, outside temporary places. */
  readonly needed: readonly ReachedFile[];
  /**
   * Open, without the name they were opened by, but with another name left: CRIU (`--link-remap`) makes a `link_remap.N`
   * beside the lost name, and takes it away right after the freeze. (CRIU files-reg.c, dump_linked_remap.)
   */
  readonly unlinked: readonly ReachedFile[];
};

export type ReachedFile = { readonly path: string; readonly reach: Reach };
export type PlannedFile = ReachedFile & { readonly how: "length" | "copy" | "left-out"; readonly why: string };

/** Through what the tree holds a file, should its path lead to another one. */
export type Reach =
  | { readonly type: "descriptor"; readonly pid: number; readonly fd: number }
  | { readonly type: "mapping"; readonly pid: number; readonly inode: string }
  | { readonly type: "path" };

/** What the plan needs to know of the machine. */
export type Surroundings = {
  readonly places: Places;
  /** The files `rules.include` names, as real paths. */
  readonly included: readonly string[];
  /** Does `rules.exclude` name this path? */
  readonly isExcluded: (path: string) => boolean;
};

const O_ACCMODE = 0o3;
const O_APPEND = 0o2000;

/** Decides the capture of `tree`. Pure. The rules themselves come already applied to paths, in `surroundings`. */
export function classify(tree: TreeFacts, surroundings: Surroundings): CapturePlan {
  const { places } = surroundings;
  const uses = groupByFile(usesOf(tree));
  const included = new Set(surroundings.included.filter((path) => !surroundings.isExcluded(path)));
  const files = new Map<string, PlannedFile>();
  const needed: ReachedFile[] = [];
  for (const [path, group] of uses) {
    const decision = decide(path, group, places, included.has(path), surroundings.isExcluded(path));
    const { reach } = group;
    if (decision === null) needed.push({ path, reach });
    else files.set(path, { path, reach, ...decision });
  }
  for (const path of included) {
    if (!files.has(path)) files.set(path, { path, reach: { type: "path" }, how: "copy", why: whyIncluded });
  }
  return {
    files: [...files.values()].toSorted(byPath),
    folders: foldersOf(tree, files.keys(), places),
    needed: needed.toSorted(byPath),
    unlinked: unlinkedOf(tree),
  };
}

type Decision = { readonly how: PlannedFile["how"]; readonly why: string };
const whyIncluded = "named by an include rule";

/** `null`: needed as it is, nothing to capture. */
function decide(path: string, group: Group, places: Places, isIncluded: boolean, isExcluded: boolean): Decision | null {
  if (isExcluded) return group.writes ? { how: "left-out", why: "named by an exclude rule, but open for writing" } : null;
  if (isIncluded) return { how: "copy", why: whyIncluded };
  const root = temporaryRoot(path, places);
  if (root !== null) return { how: "copy", why: `in the temporary place ${root}` };
  if (group.sharedMapping) return { how: "copy", why: "mapped shared and writable" };
  if (group.rewrites) return { how: "copy", why: "open for writing anywhere in it" };
  if (group.writes) return { how: "length", why: "only appended to" };
  return null;
}

type Use = {
  readonly path: string;
  readonly inode: string;
  readonly reach: Reach;
  readonly writes: boolean;
  /** Writes, and not only at the end. */
  readonly rewrites: boolean;
  readonly sharedMapping: boolean;
};

type Group = Omit<Use, "path" | "inode">;

function usesOf(tree: TreeFacts): Use[] {
  const uses: Use[] = [];
  for (const process of tree.processes) {
    for (const descriptor of process.descriptors) {
      if (descriptor.type === "file" && !descriptor.deleted && isOurs(descriptor.target)) {
        uses.push(descriptorUse(process.pid, descriptor));
      }
    }
    for (const mapping of process.mappings) {
      if (isRegular(mapping) && !mapping.deleted && isOurs(mapping.path)) uses.push(mappingUse(process.pid, mapping));
    }
  }
  return uses;
}

function descriptorUse(pid: number, facts: DescriptorFacts): Use {
  const access = facts.flags & O_ACCMODE;
  const writes = access === 1 || access === 2;
  return {
    path: facts.target,
    inode: facts.inode,
    reach: { type: "descriptor", pid, fd: facts.fd },
    writes,
    rewrites: writes && (facts.flags & O_APPEND) === 0,
    sharedMapping: false,
  };
}

function mappingUse(pid: number, facts: MappingFacts): Use {
  const isWritten = facts.shared && facts.writable;
  return {
    path: facts.path,
    inode: facts.inode,
    reach: { type: "mapping", pid, inode: facts.inode },
    writes: isWritten,
    rewrites: isWritten,
    sharedMapping: isWritten,
  };
}

/** One group per path. What is done to a file through one hard link counts for its other paths too. */
function groupByFile(uses: readonly Use[]): Map<string, Group> {
  const byInode = new Map<string, Group>();
  const byName = new Map<string, Group>();
  for (const use of uses) {
    byInode.set(use.inode, merge(byInode.get(use.inode), use));
    byName.set(use.path, merge(byName.get(use.path), use));
  }
  for (const use of uses) {
    const links = byInode.get(use.inode);
    const group = byName.get(use.path);
    if (links !== undefined && group !== undefined) byName.set(use.path, merge(group, links));
  }
  return byName;
}

function merge(one: Group | undefined, other: Group): Group {
  if (one === undefined) return other;
  return {
    reach: one.reach.type === "descriptor" || other.reach.type !== "descriptor" ? one.reach : other.reach,
    writes: one.writes || other.writes,
    rewrites: one.rewrites || other.rewrites,
    sharedMapping: one.sharedMapping || other.sharedMapping,
  };
}

function isRegular(mapping: MappingFacts): boolean {
  return mapping.type === "file" || (mapping.type === "shmem" && mapping.path.startsWith("/dev/shm/"));
}

/** Kernel files and device nodes are not content. */
function isOurs(path: string): boolean {
  if (path.startsWith("/dev/shm/")) return true;
  return path.startsWith("/") && !/^\/(proc|sys|dev)\//.test(path);
}

function unlinkedOf(tree: TreeFacts): ReachedFile[] {
  const found = new Map<string, ReachedFile>();
  for (const process of tree.processes) {
    for (const { type, deleted, hardLinks, target, inode, fd } of process.descriptors) {
      if (type !== "file" || !deleted || hardLinks === 0 || !isOurs(target)) continue;
      if (!found.has(inode)) found.set(inode, { path: target, reach: { type: "descriptor", pid: process.pid, fd } });
    }
  }
  return [...found.values()];
}

function foldersOf(tree: TreeFacts, files: Iterable<string>, places: Places): string[] {
  const folders = new Set<string>();
  const add = (folder: string): void => {
    const root = temporaryRoot(folder, places);
    if (root === null) return;
    for (let at = folder; at !== root && at.startsWith(`${root}/`); at = parentOf(at)) folders.add(at);
    if (places.tmpdirs.includes(root)) folders.add(root);
  };
  for (const file of files) add(parentOf(file));
  for (const socket of tree.sockets) {
    if (socket.family === "unix" && socket.local.startsWith("/")) add(parentOf(socket.local));
  }
  for (const process of tree.processes) {
    if (process.cwd.startsWith("/")) add(process.cwd);
    for (const { type, deleted, target } of process.descriptors) {
      if (type === "directory" && !deleted) add(target);
      if (type === "pipe" && !deleted && target.startsWith("/") && temporaryRoot(target, places) !== null) {
        add(parentOf(target));
        folders.add(target);
      }
    }
  }
  return [...folders].toSorted();
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function byPath(one: { readonly path: string }, other: { readonly path: string }): number {
  return one.path < other.path ? -1 : Number(one.path > other.path);
}

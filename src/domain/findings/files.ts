import type { Finding } from "../finding.ts";
import type { DescriptorFacts, ProcessFacts, TreeFacts } from "../tree.ts";
import { found, listed } from "./table.ts";

/** Unlinked files up to this size are put into the images; beyond, every generation would carry too much. */
export const ghostBytes = 1024 ** 3;

/** Open files, locks, pipes and terminals. */
export function fileFindings(tree: TreeFacts): readonly Finding[] {
  const held = tree.processes.flatMap((process) => process.descriptors.map((descriptor) => ({ process, descriptor })));
  return [
    ...lockFindings(tree),
    ...unlinkedFindings(tree),
    ...cwdFindings(tree),
    ...foreignFindings(held),
    ...(held.some(({ descriptor }) => /^anon_inode:(inotify|\[fanotify\])$/.test(descriptor.target))
      ? [found("inotify", "watches files for changes (inotify, fanotify)")]
      : []),
    ...pipeFindings(tree),
    ...terminalFindings(held),
  ];
}

type Held = { readonly process: ProcessFacts; readonly descriptor: DescriptorFacts };

function lockFindings({ locks }: TreeFacts): readonly Finding[] {
  return locks.length === 0 ? [] : [found("locks", `holds ${locks.length} file ${locks.length === 1 ? "lock" : "locks"}`)];
}

type Unlinked = { readonly path: string; readonly bytes: number; readonly hardLinks: number };

/**
 * A file with no name left goes into the images whole (CRIU calls it a ghost, and compares its blocks, not its length, with
 * `--ghost-limit`); one with another name left gets a temporary one beside it.
 */
function unlinkedFindings(tree: TreeFacts): readonly Finding[] {
  const files = [...unlinkedFiles(tree).values()];
  const ghosts = files.filter(({ hardLinks }) => hardLinks === 0);
  const large = ghosts.filter(({ bytes }) => bytes > ghostBytes);
  const named = files.filter(({ hardLinks }) => hardLinks > 0);
  const result: Finding[] = [];
  if (large.length > 0) {
    result.push(found("unlinked-large", `an unlinked file larger than ${ghostBytes / 1024 ** 3} GiB: ${paths(large)}`));
  } else if (ghosts.length > 0) {
    result.push(found("unlinked-file", `keeps unlinked files open: ${paths(ghosts)}`, [`--ghost-limit=${ghostLimit(ghosts)}`]));
  }
  if (named.length > 0) result.push(found("unlinked-name", `the name a file was opened by is gone: ${paths(named)}`));
  return result;
}

/** Room to grow between this look and the freeze: four times the largest, at least 16 MiB, as a power of two. */
function ghostLimit(ghosts: readonly Unlinked[]): number {
  const largest = Math.max(...ghosts.map(({ bytes }) => bytes));
  let limit = 16 * 1024 ** 2;
  while (limit < largest * 4) limit *= 2;
  return Math.min(limit, 2 * ghostBytes);
}

function unlinkedFiles({ processes }: TreeFacts): ReadonlyMap<string, Unlinked> {
  const files = new Map<string, Unlinked>();
  for (const { descriptors, mappings } of processes) {
    for (const { type, deleted, target, inode, size, hardLinks } of descriptors) {
      if (type === "file" && deleted) files.set(inode, { path: target, bytes: size, hardLinks });
    }
    for (const { type, deleted, path, inode, bytes, size, hardLinks } of mappings) {
      if (type === "file" && deleted && !files.has(inode))
        files.set(inode, { path, bytes: size ?? bytes, hardLinks: hardLinks ?? 0 });
    }
  }
  return files;
}

function paths(files: readonly Unlinked[]): string {
  return listed(files.map(({ path }) => path));
}

function cwdFindings({ processes }: TreeFacts): readonly Finding[] {
  const gone = processes.filter(({ cwdDeleted }) => cwdDeleted === true);
  return gone.length === 0 ? [] : [found("deleted-cwd", `works in a deleted folder: ${listed(gone.map(({ cwd }) => cwd))}`)];
}

function foreignFindings(held: readonly Held[]): readonly Finding[] {
  const foreign = held.filter(({ descriptor }) => descriptor.foreignMount === true);
  const what = listed(foreign.map(({ process, descriptor }) => `${descriptor.target} (fd ${descriptor.fd} of ${nameOf(process)})`));
  return foreign.length === 0 ? [] : [found("foreign-mount", `opened in another mount namespace: ${what}`)];
}

function pipeFindings({ processes, pipesOutside = [] }: TreeFacts): readonly Finding[] {
  const outside = new Set(pipesOutside);
  const holders = processes.flatMap((process) =>
    process.descriptors.filter(({ target }) => outside.has(target)).map(({ fd }) => `fd ${fd} of ${nameOf(process)}`),
  );
  return holders.length === 0 ? [] : [found("pipe-outside", `a pipe whose other end is outside the tree: ${listed(holders)}`)];
}

/** A pseudo terminal comes along if its master is in the tree too, as with Open MPI's ranks. (CRIU tty.c) */
function terminalFindings(held: readonly Held[]): readonly Finding[] {
  const terminals = held.filter(({ descriptor }) => descriptor.type === "tty");
  const masters = new Set(terminals.flatMap(({ descriptor }) => descriptor.ttyIndex ?? []));
  const isInside = ({ descriptor }: Held): boolean =>
    descriptor.ttyIndex !== undefined || masters.has(Number(/\/pts\/(\d+)$/.exec(descriptor.target)?.[1] ?? -1));
  const inside = terminals.filter(isInside);
  const outside = terminals.filter((one) => !isInside(one));
  return [
    ...(inside.length === 0 ? [] : [found("terminal-inside", "pseudo terminals with both sides inside the tree")]),
    ...(outside.length === 0 ? [] : [found("terminal", `is attached to a terminal: ${describeHeld(outside)}`)]),
  ];
}

function describeHeld(held: readonly Held[]): string {
  return listed(held.map(({ process, descriptor }) => `${descriptor.target} (${nameOf(process)})`));
}

function nameOf({ comm, pid }: ProcessFacts): string {
  return `${comm}, pid ${pid}`;
}

import type { ProcessFacts } from "../../domain/tree.ts";
import { numbersIn, readKernelLink } from "./kernel-file.ts";

const O_ACCMODE = 0o3;
const O_WRONLY = 1;
const O_RDWR = 2;

/**
 * Pipes and FIFOs of which the tree holds one end alone, while a process outside of it holds the pipe too: after a restore the
 * far end would be gone. One that nobody else holds is merely half closed. Only such lone ends cost a look at all of `/proc`.
 */
export function pipesOutside(processes: readonly ProcessFacts[]): readonly string[] {
  const ends = new Map<string, { readers: number; writers: number }>();
  for (const { descriptors } of processes) {
    for (const { type, target, flags } of descriptors) {
      if (type !== "pipe") continue;
      const end = ends.get(target) ?? { readers: 0, writers: 0 };
      ends.set(target, end);
      const access = flags & O_ACCMODE;
      if (access !== O_WRONLY) end.readers += 1;
      if (access === O_WRONLY || access === O_RDWR) end.writers += 1;
    }
  }
  const lone = new Set([...ends].filter(([, end]) => end.readers === 0 || end.writers === 0).map(([target]) => target));
  return lone.size === 0 ? [] : heldElsewhere(lone, new Set(processes.map(({ pid }) => pid)));
}

function heldElsewhere(targets: ReadonlySet<string>, tree: ReadonlySet<number>): readonly string[] {
  const found = new Set<string>();
  for (const pid of numbersIn("/proc")) {
    if (tree.has(pid)) continue;
    for (const fd of numbersIn(`/proc/${pid}/fd`)) {
      const target = readKernelLink(`/proc/${pid}/fd/${fd}`);
      if (target !== null && targets.has(target)) found.add(target);
    }
  }
  return [...found].toSorted();
}

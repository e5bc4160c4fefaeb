import { readKernelFile } from "./kernel-file.ts";

/** The ids of the mounts each process can see; one reading for all processes of a mount namespace. */
export type MountTable = { of(pid: number, mountNamespace: string): ReadonlySet<number> };

export function mountTable(): MountTable {
  const known = new Map<string, ReadonlySet<number>>();
  return {
    of(pid, mountNamespace) {
      const found = known.get(mountNamespace) ?? readMounts(pid);
      known.set(mountNamespace, found);
      return found;
    },
  };
}

/** The first field of each line is the mount's id, the one that fdinfo speaks of. (proc_pid_mountinfo(5)) */
function readMounts(pid: number): ReadonlySet<number> {
  const text = readKernelFile(`/proc/${pid}/mountinfo`) ?? "";
  return new Set(text.split("\n").map((line) => Number.parseInt(line, 10)));
}

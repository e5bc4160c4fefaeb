import type { Finding } from "../finding.ts";
import type { TreeFacts } from "../tree.ts";
import { found, listed } from "./table.ts";

/** Memory that is more than pages. */
export function memoryFindings(tree: TreeFacts): readonly Finding[] {
  return [...sysvFindings(tree), ...hugeFindings(tree), ...leftoverFindings(tree)];
}

/** CRIU saves SysV shared memory with the IPC namespace it is in, and only then. (CRIU cr-dump.c, dump_task_mm) */
function sysvFindings({ root, processes, entered }: TreeFacts): readonly Finding[] {
  const users = processes.filter(({ mappings }) => mappings.some(({ type }) => type === "sysv"));
  if (users.length === 0) return [];
  const what = `uses SysV shared memory: ${listed(users.map(({ comm, pid }) => `${comm}, pid ${pid}`))}`;
  const own = processes.find(({ pid }) => pid === root.pid)?.namespaces["ipc"];
  const isOwn = own !== undefined && own !== entered?.["ipc"];
  return [isOwn ? found("sysv-own", what) : found("sysv-host", `${what}, in the host's IPC namespace`)];
}

function hugeFindings({ processes }: TreeFacts): readonly Finding[] {
  const isHuge = (path: string): boolean => path.startsWith("/anon_hugepage") || path.startsWith("/dev/hugepages/");
  const users = processes.filter(({ hugeBytes = 0, mappings }) => hugeBytes > 0 || mappings.some(({ path }) => isHuge(path)));
  return users.length === 0
    ? []
    : [found("huge-pages", `uses huge pages: ${listed(users.map(({ comm, pid }) => `${comm}, pid ${pid}`))}`)];
}

/** A killed CRIU leaves its own code in the job: one mapping of some MiB each time. (criu-facts section 16) */
function leftoverFindings({ processes }: TreeFacts): readonly Finding[] {
  const left = processes.flatMap(({ mappings }) => mappings.filter(({ path }) => path.startsWith("/memfd:CRIUMFD")));
  const bytes = left.reduce((sum, mapping) => sum + mapping.bytes, 0);
  const mebibytes = Math.ceil(bytes / 1024 ** 2);
  return left.length === 0
    ? []
    : [found("criu-leftover", `${left.length} mappings (${mebibytes} MiB) left by a CRIU that was killed`)];
}

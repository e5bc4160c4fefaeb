import type { Finding } from "../finding.ts";
import type { ProcessFacts, TreeFacts } from "../tree.ts";
import { found, listed, type FindingCode } from "./table.ts";

/** The processes themselves: sessions, states, tracers, namespaces. */
export function processFindings(tree: TreeFacts): readonly Finding[] {
  const { root, processes, strays } = tree;
  const top = processes.find(({ pid }) => pid === root.pid);
  const those = (code: FindingCode, what: string, filter: (process: ProcessFacts) => boolean): readonly Finding[] => {
    const names = processes.filter(filter).map(nameOf);
    return names.length === 0 ? [] : [found(code, `${what}: ${listed(names)}`)];
  };
  return [
    ...(top !== undefined && top.sessionPid !== top.pid
      ? [found("not-session-leader", `${nameOf(top)} belongs to the session of process ${top.sessionPid}`)]
      : []),
    ...those("stopped", "stopped by a signal", ({ state }) => state === "T"),
    ...those("traced", "under a debugger or tracer", ({ tracerPid }) => tracerPid !== 0),
    ...(strays.length === 0 ? [] : [found("strays", `left the job's tree, and would be lost: ${listed(strays.map(nameOf))}`)]),
    ...those("zombie", "ended, and not yet asked for by its parent", ({ state }) => state === "Z"),
    ...those("seccomp", "under a seccomp filter", ({ seccomp }) => seccomp === true),
    ...(top === undefined ? [] : namespaceFindings(tree, top)),
  ];
}

/** Namespaces that may differ from those CRIU works from: it saves and makes them again. Seen to work; the others were seen not to. */
const savedNamespaces: ReadonlySet<string> = new Set(["cgroup", "ipc", "time", "uts"]);

/**
 * The whole tree in one set of namespaces, and that the one CRIU works from, but for those it saves.
 * (CRIU namespaces.c: `Can't dump nested`; pstree.c: `Can't restore sub-task in NS`)
 */
function namespaceFindings({ processes, entered = {} }: TreeFacts, top: ProcessFacts): readonly Finding[] {
  const names = Object.keys(top.namespaces);
  const own = names.filter((name) => {
    const here = entered[name];
    return here !== undefined && here !== top.namespaces[name] && !savedNamespaces.has(name);
  });
  const nested = processes.flatMap((process) => {
    const differing = names.filter((name) => (process.namespaces[name] ?? top.namespaces[name]) !== top.namespaces[name]);
    return differing.map((name) => `${name} of ${nameOf(process)}`);
  });
  return [
    ...(own.length === 0 ? [] : [found("namespace-own", `lives in namespaces of its own: ${own.join(", ")}`)]),
    ...(nested.length === 0 ? [] : [found("namespace-nested", `namespaces inside the job: ${listed(nested)}`)]),
  ];
}

function nameOf({ comm, pid }: { readonly comm: string; readonly pid: number }): string {
  return `${comm}, pid ${pid}`;
}

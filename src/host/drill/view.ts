import os from "node:os";

/**
 * One place of a drill's view, as `init.c` is told of it. `copies`: under an overlay, so that what is written there lands in the
 * drill's folder; `read-only`: shown, and closed to writing; `as-is`: shown and open (the drill's own folder); any other: a fresh
 * file system of that type. `flags`: mount(2)'s.
 */
export type Place = { readonly kind: string; readonly flags: number; readonly path: string };

/** File systems of the kernel's own: no file of a job lies there. Read-only, a device still takes what is written to it. (mount(8)) */
const kernels: ReadonlySet<string> = new Set(
  (
    "sysfs cgroup cgroup2 securityfs debugfs tracefs bpf pstore efivarfs configfs fusectl binfmt_misc " +
    "rpc_pipefs nsfs nfsd selinuxfs smackfs hugetlbfs ramfs"
  ).split(" "),
);
/** One of the drill's own: the live job's terminals and queues are not in it. */
const fresh: ReadonlySet<string> = new Set(["devpts", "mqueue"]);
/** The init mounts a new /proc, and looking at an automount point would mount it. */
const left: ReadonlySet<string> = new Set(["proc", "autofs"]);

/** mount(2)'s flags that stay as they are. */
const kept: Readonly<Record<string, number>> = { nosuid: 2, nodev: 4, noexec: 8 };

/**
 * The view of a drill, from the text of `/proc/self/mountinfo`: each place once, the outer before the inner. What nobody can write to
 * needs no overlay. Pure.
 */
export function planView(mountinfo: string): readonly Place[] {
  const places = new Map<string, Place>();
  for (const line of mountinfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , , point = "", options = ""] = before.split(" ");
    const [type = "", , superOptions = ""] = after.split(" ");
    const path = unescape(point);
    // The list has one line each: a path with a line end in it is not shown.
    if (path === "" || path.includes("\n") || left.has(type) || path.startsWith("/proc/")) continue;
    const words = options.split(",");
    const flags = words.reduce((sum, word) => sum | (kept[word] ?? 0), 0);
    const isClosed = words.includes("ro") || superOptions.split(",").includes("ro");
    const kind = fresh.has(type) ? type : isClosed || kernels.has(type) ? "read-only" : "copies";
    // Of two mounted on one another the last is seen.
    places.delete(path);
    places.set(path, { kind, flags, path });
  }
  return [...places.values()].toSorted((one, other) => depth(one.path) - depth(other.path));
}

/** The text of the list the init reads; the line's number is the name of the place's folders. */
export function viewText(places: readonly Place[], addresses: readonly string[]): string {
  const lines = places.map(({ kind, flags, path }) => `${kind} ${flags} ${path}\n`);
  return [...lines, ...addresses.map((address) => `address 0 ${address}\n`)].join("");
}

/** The number of the place that holds `path`. */
export function placeOf(places: readonly Place[], path: string): number {
  let best = 0;
  for (const [index, place] of places.entries()) {
    const holds = place.path === "/" || path === place.path || path.startsWith(`${place.path}/`);
    if (holds && place.path.length >= (places[best]?.path.length ?? 0)) best = index;
  }
  return best;
}

/** The machine's own IPv4 addresses but the loopback's: a socket bound to one finds it on the drill's loopback. */
export function ownAddresses(): readonly string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((one) => one ?? []);
  return [...new Set(all.flatMap(({ family, internal, address }) => (family === "IPv4" && !internal ? [address] : [])))];
}

/** Blanks and the like stand as octal numbers. (proc_pid_mountinfo(5)) */
function unescape(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function depth(path: string): number {
  return path === "/" ? 0 : path.split("/").length;
}

import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { ProcessIdentity } from "../domain/run.ts";
import type { TreeFacts, ProcessFacts, DescriptorFacts, MappingFacts } from "../domain/tree.ts";
import type { Processes } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
const T = (f: string) => { try { return readFileSync(f, "utf8"); } catch { return ""; } };
const boot = () => T("/proc/sys/kernel/random/boot_id").trim();
function stat(pid: number) { const t = T(`/proc/${pid}/stat`); if (!t) return null; const f = t.slice(t.lastIndexOf(")") + 2).split(" "); return { state: f[0] ?? "", ppid: Number(f[1]), session: Number(f[3]), flags: Number(f[6]), start: Number(f[19]), comm: t.slice(t.indexOf("(") + 1, t.lastIndexOf(")")) }; }
function ident(pid: number): ProcessIdentity | null { const s = stat(pid); return s && s.state !== "Z" && s.state !== "X" ? { pid, startTicks: s.start, bootId: boot() } : null; }
export function openProcesses(): Processes {
  const isAlive = (i: ProcessIdentity) => { const n = ident(i.pid); return n !== null && n.startTicks === i.startTicks && n.bootId === i.bootId; };
  return { self: () => ident(process.pid)!, identify: async (p) => ident(p), isAlive,
    signal(i, s) { if (!isAlive(i)) return false; try { process.kill(i.pid, s); return true; } catch { return false; } },
    async inspect(root): Promise<TreeFacts> {
      if (!isAlive(root)) throw Fault.of("pid-unknown", { pid: root.pid });
      const all = readdirSync("/proc").filter((n) => /^\d+$/.test(n)).map(Number);
      const kids = new Map<number, number[]>(); for (const p of all) { const s = stat(p); if (s) kids.set(s.ppid, [...(kids.get(s.ppid) ?? []), p]); }
      const list: number[] = []; const walk = (p: number) => { list.push(p); for (const k of kids.get(p) ?? []) walk(k); }; walk(root.pid);
      const processes: ProcessFacts[] = [];
      for (const pid of list) { const s = stat(pid); if (!s) continue; const st = T(`/proc/${pid}/status`); const descriptors: DescriptorFacts[] = [];
        for (const n of readdirSync(`/proc/${pid}/fd`)) { try { const fd = `/proc/${pid}/fd/${n}`; const raw = readlinkSync(fd); const x = statSync(fd); const info = T(`/proc/${pid}/fdinfo/${n}`); const deleted = raw.endsWith(" (deleted)");
          const type = x.isFile() ? (raw.startsWith("/memfd:") ? "memfd" : "file") : x.isDirectory() ? "directory" : x.isFIFO() ? "pipe" : x.isSocket() ? "socket" : raw.startsWith("/dev/pts") ? "tty" : x.isCharacterDevice() ? "device" : "anon";
          descriptors.push({ fd: Number(n), target: raw.replace(/ \(deleted\)$/, ""), deleted, type, flags: parseInt(/flags:\s*(\d+)/.exec(info)?.[1] ?? "0", 8), position: Number(/pos:\s*(\d+)/.exec(info)?.[1] ?? 0), inode: `${x.dev}:${x.ino}`, size: x.size, hardLinks: x.nlink }); } catch { } }
        const mappings: MappingFacts[] = [];
        for (const line of T(`/proc/${pid}/maps`).split("\n")) { const m = /^(\w+)-(\w+) (....) \w+ \S+ (\d+)\s*(.*)$/.exec(line); if (!m || !m[5] || !m[5].startsWith("/")) continue; const p = m[5].replace(/ \(deleted\)$/, ""); const deleted = m[5] !== p; let ino = ""; try { const x = statSync(p); ino = `${x.dev}:${x.ino}`; } catch { continue; }
          mappings.push({ path: p, deleted, shared: m[3]![3] === "s", writable: m[3]![1] === "w", type: p.startsWith("/memfd") ? "memfd" : p.startsWith("/dev/zero") ? "shmem" : p.startsWith("/SYSV") ? "sysv" : "file", inode: ino, bytes: parseInt(m[2]!, 16) - parseInt(m[1]!, 16) }); }
        processes.push({ pid, vpid: Number(/^NSpid:.*\s(\d+)$/m.exec(st)?.[1] ?? pid), ppid: s.ppid, comm: s.comm, state: s.state, sessionPid: s.session, isKernelThread: false, tracerPid: 0, startTicks: s.start, residentBytes: Number(/VmRSS:\s*(\d+)/.exec(st)?.[1] ?? 0) * 1024, namespaces: {}, cwd: readlinkSync(`/proc/${pid}/cwd`), tmpdir: null, descriptors, mappings }); }
      return { root, rootVpid: processes[0]!.vpid, processes, strays: [], sockets: [], locks: [] };
    } };
}

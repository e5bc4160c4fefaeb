import type { Finding } from "../finding.ts";
import type { TreeFacts } from "../tree.ts";
import { found, listed, type FindingCode } from "./table.ts";

/** What CRIU cannot save at all: each kind by its own name, since the ways out differ. */
export function deviceFindings(tree: TreeFacts): readonly Finding[] {
  const groups = new Map<DeviceCode, string[]>();
  const note = (code: DeviceCode | null, what: string): void => {
    if (code !== null) groups.set(code, [...(groups.get(code) ?? []), what]);
  };
  for (const { comm, pid, descriptors, mappings } of tree.processes) {
    for (const { type, target, fd } of descriptors) {
      const where = `${target} (fd ${fd} of ${comm}, pid ${pid})`;
      if (type === "anon") note(anonymousCode(target), where);
      if (type === "device") note(deviceCode(target), where);
    }
    for (const { type, path } of mappings) {
      const where = `${path} (mapped by ${comm}, pid ${pid})`;
      if (type === "device" && path !== "/dev/zero") note(deviceCode(path) ?? "device", where);
      if (type === "special" && path.includes(":")) note(anonymousCode(path), where);
    }
  }
  return [...groups].map(([code, things]) => found(code, `${intros[code]}: ${listed(things)}`));
}

type DeviceCode = Extract<
  FindingCode,
  "io-uring" | "userfaultfd" | "perf-event" | "bpf" | "gpu" | "infiniband" | "device" | "anonymous-inode"
>;

/** Those CRIU knows how to make again. (CRIU files.c, dump_one_file; pidfd since 4.1) */
const savedAnonymous =
  /^(anon_inode:\[?(eventpoll|eventfd|timerfd|signalfd|inotify|fanotify|pidfd)\]?|pidfd:.*|pipe:.*|anon_inode:\[aio\])$/;

function anonymousCode(target: string): DeviceCode | null {
  if (savedAnonymous.test(target)) return null;
  if (target.includes("[io_uring]")) return "io-uring";
  if (target.includes("[userfaultfd]")) return "userfaultfd";
  if (target.includes("[perf_event]")) return "perf-event";
  if (target.includes("bpf")) return "bpf";
  return /^dmabuf:|drm|kfd|nvidia|i915|sync_file/.test(target) ? "gpu" : "anonymous-inode";
}

/** The memory devices (major 1) are files to CRIU. (CRIU files.c, dump_chrdev) */
const savedDevice = /^\/dev\/(null|zero|full|random|urandom|kmsg|mem|port)$/;

function deviceCode(path: string): DeviceCode | null {
  if (savedDevice.test(path)) return null;
  if (/^\/dev\/(nvidia|nvhost|dri\/|kfd$|mali|davinci|accel\/|dxg$)/.test(path)) return "gpu";
  if (/^\/dev\/(infiniband\/|hfi1|knem$|xpmem$|cxi\d|ipath|psm)/.test(path)) return "infiniband";
  if (path === "/dev/userfaultfd") return "userfaultfd";
  return "device";
}

const intros: Readonly<Record<DeviceCode, string>> = {
  "io-uring": "uses io_uring",
  userfaultfd: "handles its own page faults",
  "perf-event": "counts performance events",
  bpf: "holds BPF programs or maps",
  gpu: "uses a GPU",
  infiniband: "uses an RDMA or shared-memory network device",
  device: "has a device open",
  "anonymous-inode": "holds something of the kernel's that CRIU does not know",
};

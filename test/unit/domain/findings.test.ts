import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dumpOptions, findings, restoreOptions } from "../../../src/domain/findings.ts";
import { ghostBytes } from "../../../src/domain/findings/files.ts";
import { findingTable, found, type FindingCode } from "../../../src/domain/findings/table.ts";
import type { DescriptorFacts, MappingFacts, ProcessFacts, SocketFacts, TreeFacts } from "../../../src/domain/tree.ts";

const namespaces = { mnt: "1", pid: "2", net: "3", user: "4", ipc: "5", uts: "6", cgroup: "7", time: "8" };

function descriptor(more: Partial<DescriptorFacts>): DescriptorFacts {
  const common = { fd: 3, target: "/work/out", deleted: false, type: "file", flags: 0, position: 0, inode: "1:0:1" } as const;
  return { ...common, size: 0, hardLinks: 1, ...more };
}

function mapping(more: Partial<MappingFacts>): MappingFacts {
  return { path: "/lib/a.so", deleted: false, shared: false, writable: false, type: "file", inode: "1:0:2", bytes: 4096, ...more };
}

function socket(more: Partial<SocketFacts>): SocketFacts {
  const common = {
    inode: 9,
    family: "inet",
    kind: "stream",
    state: "connected",
    local: "127.0.0.1:1",
    remote: "127.0.0.1:2",
  } as const;
  return { ...common, peer: "inside", ...more };
}

function process(more: Partial<ProcessFacts> = {}): ProcessFacts {
  const common = { pid: 100, vpid: 100, ppid: 1, comm: "sim", state: "S", sessionPid: 100, isKernelThread: false, tracerPid: 0 };
  const rest = { startTicks: 1, residentBytes: 0, namespaces, cwd: "/work", tmpdir: null, descriptors: [], mappings: [] };
  return { ...common, ...rest, ...more };
}

function tree(top: Partial<ProcessFacts> = {}, more: Partial<TreeFacts> = {}): TreeFacts {
  const root = { pid: 100, startTicks: 1, bootId: "b" };
  const rest = { strays: [], sockets: [], locks: [], pipesOutside: [], entered: { ...namespaces } };
  return { root, rootVpid: 100, processes: [process(top)], ...rest, ...more };
}

const codes = (facts: TreeFacts): readonly string[] => findings(facts).map(({ code }) => code);

describe("findings", () => {
  test("an ordinary program has none, and needs no options", () => {
    const plain = findings(tree({ descriptors: [descriptor({})], mappings: [mapping({})] }));
    expect(plain).toEqual([]);
    expect([dumpOptions(plain), restoreOptions(plain)]).toEqual([[], []]);
  });

  test("each code comes once, however many things have it, and says how many", () => {
    const sockets = [1, 2, 3, 4, 5].map((inode) => socket({ inode, remote: `127.0.0.1:${inode}` }));
    const all = findings(tree({}, { sockets }));
    expect(all.map(({ code }) => code)).toEqual(["tcp-inside"]);
    expect(all[0]?.what).toContain("and 2 more");
  });

  test("what hinders comes first", () => {
    const facts = tree({ state: "T", descriptors: [descriptor({ type: "tty", target: "/dev/pts/3" })] }, { locks: ["1: FLOCK"] });
    expect(codes(facts)).toEqual(["terminal", "stopped", "locks"]);
  });

  test("loopback TCP and locks give their options at both ends, in one fixed order", () => {
    const both = findings(tree({}, { sockets: [socket({})], locks: ["1: FLOCK"] }));
    expect(dumpOptions(both)).toEqual(["--file-locks", "--network-lock=skip", "--tcp-established"]);
    expect(restoreOptions(both)).toEqual(["--file-locks", "--network-lock=skip", "--tcp-established"]);
  });

  test("options do not depend on the order of findings, and none comes twice", () => {
    const all = Object.keys(findingTable) as FindingCode[];
    fc.assert(
      fc.property(fc.shuffledSubarray(all), fc.shuffledSubarray(all), (some, others) => {
        const made = [...some, ...others].map((code) => found(code, "x"));
        expect(dumpOptions(made)).toEqual(dumpOptions(made.toReversed()));
        expect(new Set(dumpOptions(made)).size).toBe(dumpOptions(made).length);
        expect(new Set(restoreOptions(made)).size).toBe(restoreOptions(made).length);
      }),
    );
  });

  test("nothing refused carries options: no dump is tried with it", () => {
    for (const code of Object.keys(findingTable) as FindingCode[]) {
      const finding = found(code, "x");
      if (finding.level === "refused") expect([...finding.dumpOptions, ...finding.restoreOptions]).toEqual([]);
      if (finding.level !== "handled") expect(finding.remedy).not.toBe("nothing to do");
    }
  });
});

describe("sockets", () => {
  test.for<readonly [Partial<SocketFacts>, readonly string[]]>([
    [{ peer: "outside" }, ["tcp-outside"]],
    [{ peer: "unknown" }, ["tcp-outside"]],
    [{ peer: "none", state: "closing" }, ["tcp-inside"]],
    [{ peer: "none", state: "listening" }, ["tcp-listening"]],
    [{ peer: "none", state: "listening", pending: 1 }, ["tcp-waiting"]],
    [{ peer: "none", state: "unconnected" }, []],
    [{ kind: "dgram", peer: "unknown" }, ["udp"]],
    [{ family: "unix", peer: "inside" }, ["unix-inside"]],
    [{ family: "unix", peer: "none", state: "listening" }, []],
    [{ family: "unix", peer: "unknown" }, ["unix-unknown"]],
    [{ family: "unix", peer: "outside", remote: "/run/x" }, ["unix-outside"]],
    [{ family: "unix", kind: "seqpacket", peer: "outside", remote: "/run/x" }, ["unix-outside"]],
    [{ family: "unix", kind: "dgram", peer: "outside", remote: "/dev/log" }, ["unix-datagram"]],
    [{ family: "unix", kind: "dgram", peer: "outside", remote: "" }, ["unix-outside"]],
    [{ family: "netlink", kind: "raw", peer: "none" }, []],
    [{ family: "other", kind: "other", local: "MPTCP", peer: "none" }, ["socket-kind"]],
    [{ family: "other", kind: "other", local: "", peer: "none" }, ["socket-unknown"]],
  ])("%o is %o", ([facts, expected]) => {
    expect(codes(tree({}, { sockets: [socket(facts)] }))).toEqual(expected);
  });
});

describe("unlinked files", () => {
  const ghost = (size: number): TreeFacts => tree({ descriptors: [descriptor({ deleted: true, hardLinks: 0, size })] });

  test("the limit leaves room to grow, and no file up to the bound is over it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: ghostBytes }), (size) => {
        const [option = ""] = dumpOptions(findings(ghost(size)));
        const limit = Number(option.replace("--ghost-limit=", ""));
        expect(limit).toBeGreaterThanOrEqual(Math.min(size * 2, 2 * ghostBytes));
        expect(limit).toBeGreaterThanOrEqual(16 * 1024 ** 2);
        expect(limit).toBeLessThan(2 ** 32);
      }),
    );
  });

  test("one beyond the bound is refused", () => {
    expect(codes(ghost(ghostBytes))).toEqual(["unlinked-file"]);
    expect(codes(ghost(ghostBytes + 1))).toEqual(["unlinked-large"]);
  });

  test("one with another name left is another finding, and one held twice is told once", () => {
    const both = [descriptor({ deleted: true, hardLinks: 0, inode: "a" }), descriptor({ deleted: true, hardLinks: 2, inode: "b" })];
    expect(codes(tree({ descriptors: [...both, ...both] }))).toEqual(["unlinked-file", "unlinked-name"]);
    expect(dumpOptions(findings(tree({ descriptors: both })))).toEqual(["--ghost-limit=16777216", "--link-remap"]);
  });

  test("a mapped program that an upgrade replaced counts by its length", () => {
    const replaced = mapping({ deleted: true, size: 2 * ghostBytes, hardLinks: 0 });
    expect(codes(tree({ mappings: [replaced] }))).toEqual(["unlinked-large"]);
    expect(codes(tree({ mappings: [mapping({ deleted: true, type: "shmem", path: "/dev/zero" })] }))).toEqual([]);
  });
});

describe("terminals and pipes", () => {
  const slave = descriptor({ type: "tty", target: "/dev/pts/7" });
  const master = (ttyIndex: number) => descriptor({ type: "tty", target: "/dev/ptmx", ttyIndex });

  test("a terminal whose master is in the tree comes along, another one does not", () => {
    expect(codes(tree({ descriptors: [slave, master(7)] }))).toEqual(["terminal-inside"]);
    expect(codes(tree({ descriptors: [slave, master(8)] }))).toEqual(["terminal", "terminal-inside"]);
    expect(codes(tree({ descriptors: [descriptor({ type: "tty", target: "/dev/tty" }), master(0)] }))).toContain("terminal");
  });

  test("only a pipe that somebody outside holds is refused", () => {
    const descriptors = [descriptor({ type: "pipe", target: "pipe:[1]" }), descriptor({ fd: 4, type: "pipe", target: "pipe:[2]" })];
    const [finding, ...others] = findings(tree({ descriptors }, { pipesOutside: ["pipe:[2]"] }));
    expect(finding).toMatchObject({
      code: "pipe-outside",
      what: "a pipe whose other end is outside the tree: fd 4 of sim, pid 100",
    });
    expect(others).toEqual([]);
  });
});

describe("what CRIU cannot save", () => {
  test.for<readonly [string, DescriptorFacts["type"], readonly string[]]>([
    ["anon_inode:[eventpoll]", "anon", []],
    ["anon_inode:[eventfd]", "anon", []],
    ["anon_inode:inotify", "anon", ["inotify"]],
    ["anon_inode:[pidfd]", "anon", []],
    ["pidfd:[12]", "anon", []],
    ["anon_inode:[io_uring]", "anon", ["io-uring"]],
    ["anon_inode:[userfaultfd]", "anon", ["userfaultfd"]],
    ["anon_inode:[perf_event]", "anon", ["perf-event"]],
    ["anon_inode:bpf-map", "anon", ["bpf"]],
    ["anon_inode:[kvm-vm]", "anon", ["anonymous-inode"]],
    ["anon_inode:sync_file", "anon", ["gpu"]],
    ["/dev/null", "device", []],
    ["/dev/urandom", "device", []],
    ["/dev/nvidiactl", "device", ["gpu"]],
    ["/dev/dri/renderD128", "device", ["gpu"]],
    ["/dev/kfd", "device", ["gpu"]],
    ["/dev/infiniband/uverbs0", "device", ["infiniband"]],
    ["/dev/fuse", "device", ["device"]],
  ])("%s (%s) gives %o", ([target, type, expected]) => {
    expect(codes(tree({ descriptors: [descriptor({ target, type })] }))).toEqual(expected);
  });

  test("a mapped device is refused though its descriptor is closed; shared zeros are not a device", () => {
    expect(codes(tree({ mappings: [mapping({ type: "device", path: "/dev/nvidia0" })] }))).toEqual(["gpu"]);
    expect(codes(tree({ mappings: [mapping({ type: "special", path: "anon_inode:[io_uring]" })] }))).toEqual(["io-uring"]);
    expect(
      codes(tree({ mappings: [mapping({ type: "shmem", path: "/dev/zero" }), mapping({ type: "special", path: "[vdso]" })] })),
    ).toEqual([]);
  });
});

describe("namespaces and memory", () => {
  const sysv = [mapping({ type: "sysv", path: "/SYSV00000000" })];

  test("SysV memory needs an IPC namespace other than the one CRIU works from", () => {
    expect(codes(tree({ mappings: sysv }))).toEqual(["sysv-host"]);
    expect(codes(tree({ mappings: sysv, namespaces: { ...namespaces, ipc: "50" } }))).toEqual(["sysv-own"]);
  });

  test.for(Object.keys(namespaces))("the whole tree in a %s namespace of its own: refused but for those CRIU saves", (name) => {
    const expected = ["mnt", "pid", "net", "user"].includes(name) ? ["namespace-own"] : [];
    expect(codes(tree({ namespaces: { ...namespaces, [name]: "99" } }))).toEqual(expected);
  });

  test.for(Object.keys(namespaces))("one process of the tree in another %s namespace is refused", (name) => {
    const other = process({ pid: 101, sessionPid: 100, namespaces: { ...namespaces, [name]: "99" } });
    expect(codes(tree({}, { processes: [process(), other] }))).toEqual(["namespace-nested"]);
  });

  test("a zombie has no namespaces to tell, and is no reason to refuse", () => {
    const dead = process({ pid: 101, state: "Z", namespaces: {}, cwd: "" });
    expect(codes(tree({}, { processes: [process(), dead] }))).toEqual(["zombie"]);
  });

  test("what a killed CRIU left is counted", () => {
    const left = mapping({ type: "memfd", path: "/memfd:CRIUMFD", deleted: true, bytes: 6 * 1024 ** 2 });
    expect(findings(tree({ mappings: [left, left] }))[0]?.what).toBe("2 mappings (12 MiB) left by a CRIU that was killed");
  });
});

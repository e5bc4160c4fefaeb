import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { classify, type CapturePlan, type Surroundings } from "../../../src/domain/capture-plan.ts";
import type { DescriptorFacts, MappingFacts, ProcessFacts, SocketFacts, TreeFacts } from "../../../src/domain/tree.ts";

const O_WRONLY = 1;
const O_RDWR = 2;
const O_APPEND = 0o2000;

function descriptor(target: string, flags: number, more: Partial<DescriptorFacts> = {}): DescriptorFacts {
  return { fd: 3, target, deleted: false, type: "file", flags, position: 0, inode: `1:${target}`, size: 0, hardLinks: 1, ...more };
}

function mapping(path: string, more: Partial<MappingFacts> = {}): MappingFacts {
  return { path, deleted: false, shared: false, writable: false, type: "file", inode: `1:${path}`, bytes: 4096, ...more };
}

function process(pid: number, more: Partial<ProcessFacts> = {}): ProcessFacts {
  const common = {
    vpid: pid,
    ppid: 1,
    comm: "sim",
    state: "S",
    sessionPid: pid,
    isKernelThread: false,
    tracerPid: 0,
    startTicks: 1,
  };
  return { pid, ...common, residentBytes: 0, namespaces: {}, cwd: "/work", tmpdir: null, descriptors: [], mappings: [], ...more };
}

function tree(processes: readonly ProcessFacts[], sockets: readonly SocketFacts[] = []): TreeFacts {
  return { root: { pid: 100, startTicks: 1, bootId: "b" }, rootVpid: 100, processes, strays: [], sockets, locks: [] };
}

function around(more: Partial<Surroundings> = {}): Surroundings {
  const places = { roots: ["/dev/shm", "/run", "/tmp"], tmpdirs: [], mounts: [{ point: "/", volatile: false }] };
  return { places, included: [], isExcluded: () => false, ...more };
}

function plan(
  descriptors: readonly DescriptorFacts[],
  mappings: readonly MappingFacts[] = [],
  more: Partial<Surroundings> = {},
): CapturePlan {
  return classify(tree([process(100, { descriptors, mappings })]), around(more));
}

const hows = (made: CapturePlan): Record<string, string> => Object.fromEntries(made.files.map(({ path, how }) => [path, how]));
const neededPaths = (made: CapturePlan): string[] => made.needed.map(({ path }) => path);

describe("files open for writing", () => {
  test("one that every writer appends to is kept by its length", () => {
    const made = classify(
      tree([
        process(100, { descriptors: [descriptor("/work/log", O_WRONLY | O_APPEND)] }),
        process(101, { descriptors: [descriptor("/work/log", O_RDWR | O_APPEND)] }),
      ]),
      around(),
    );
    expect(hows(made)).toEqual({ "/work/log": "length" });
  });

  test("a single writer anywhere in the tree without O_APPEND makes it a copy", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), (appends) => {
        const processes = appends.map((isAppend, at) =>
          process(100 + at, { descriptors: [descriptor("/work/out", O_WRONLY | (isAppend ? O_APPEND : 0))] }),
        );
        const expected = appends.every(Boolean) ? "length" : "copy";
        expect(hows(classify(tree(processes), around()))).toEqual({ "/work/out": expected });
      }),
    );
  });

  test("a writer through another hard link counts, and each path is captured", () => {
    const made = plan([
      descriptor("/work/a", O_WRONLY | O_APPEND, { inode: "1:7" }),
      descriptor("/work/b", O_RDWR, { inode: "1:7" }),
    ]);
    expect(hows(made)).toEqual({ "/work/a": "copy", "/work/b": "copy" });
  });

  test("a file reached by many descriptors is captured once", () => {
    const made = plan([3, 4, 5].map((fd) => descriptor("/work/out", O_RDWR, { fd })));
    expect(made.files).toHaveLength(1);
  });

  test("a reader does not make an append-only file a copy, nor a needed one", () => {
    const made = plan([descriptor("/work/log", O_WRONLY | O_APPEND), descriptor("/work/log", 0, { fd: 4 })]);
    expect(hows(made)).toEqual({ "/work/log": "length" });
    expect(made.needed).toEqual([]);
  });
});

describe("mappings", () => {
  test("a shared writable one is copied, even where the descriptor is gone or only appends", () => {
    const shared = { shared: true, writable: true };
    expect(hows(plan([], [mapping("/work/field", shared)]))).toEqual({ "/work/field": "copy" });
    expect(hows(plan([descriptor("/work/field", O_WRONLY | O_APPEND)], [mapping("/work/field", shared)]))).toEqual({
      "/work/field": "copy",
    });
  });

  test("a private or a read-only one is needed as it is", () => {
    const made = plan([], [mapping("/usr/lib/libm.so", { writable: true }), mapping("/work/table", { shared: true })]);
    expect(made.files).toEqual([]);
    expect(neededPaths(made)).toEqual(["/usr/lib/libm.so", "/work/table"]);
  });

  test("a descriptor is preferred to a mapping as the way to the file", () => {
    const made = plan([descriptor("/work/field", O_RDWR)], [mapping("/work/field", { shared: true, writable: true })]);
    expect(made.files[0]?.reach).toEqual({ type: "descriptor", pid: 100, fd: 3 });
  });
});

describe("temporary places", () => {
  test("what is open or mapped there is copied, for reading only too", () => {
    const made = plan(
      [descriptor("/tmp/log", O_WRONLY | O_APPEND), descriptor("/run/x/in", 0)],
      [mapping("/dev/shm/seg", { shared: true }), mapping("/tmp/sim")],
    );
    expect(hows(made)).toEqual({ "/tmp/log": "copy", "/run/x/in": "copy", "/dev/shm/seg": "copy", "/tmp/sim": "copy" });
    expect(made.needed).toEqual([]);
  });

  test("folders of files, sockets, working directories and open directories come along, parents first, without the root", () => {
    const socket = { inode: 1, family: "unix", kind: "stream", state: "listening", remote: "", peer: "none" } as const;
    const made = classify(
      tree(
        [
          process(100, {
            cwd: "/tmp/w",
            descriptors: [descriptor("/tmp/a/b/f", O_RDWR), descriptor("/run/d/e", 0, { type: "directory" })],
          }),
        ],
        [
          { ...socket, local: "/tmp/s/t/sock" },
          { ...socket, local: "@abstract" },
          { ...socket, local: "/var/lib/sock" },
        ],
      ),
      around(),
    );
    expect(made.folders).toEqual(["/run/d", "/run/d/e", "/tmp/a", "/tmp/a/b", "/tmp/s", "/tmp/s/t", "/tmp/w"]);
  });

  test("a process's TMPDIR counts, and comes along itself", () => {
    const places = { ...around().places, tmpdirs: ["/scratch/job.7"] };
    const made = plan([descriptor("/scratch/job.7/a/f", 0), descriptor("/scratch/job.70", 0)], [], { places });
    expect(hows(made)).toEqual({ "/scratch/job.7/a/f": "copy" });
    expect(made.folders).toEqual(["/scratch/job.7", "/scratch/job.7/a"]);
    expect(neededPaths(made)).toEqual(["/scratch/job.70"]);
  });

  test("any tmpfs counts; a disk mounted inside a root does not; a tmpfs as / does not make everything temporary", () => {
    const mounts = [
      { point: "/", volatile: true },
      { point: "/fast", volatile: true },
      { point: "/run/media/disk", volatile: false },
    ];
    const made = plan([descriptor("/fast/x", 0), descriptor("/run/media/disk/y", 0), descriptor("/usr/lib/z", 0)], [], {
      places: { ...around().places, mounts },
    });
    expect(hows(made)).toEqual({ "/fast/x": "copy" });
    expect(neededPaths(made)).toEqual(["/run/media/disk/y", "/usr/lib/z"]);
  });
});

describe("what is not ours", () => {
  test("deleted files, kernel files, devices, pipes and sockets are left to CRIU", () => {
    const made = plan(
      [
        descriptor("/work/gone", O_RDWR, { deleted: true, hardLinks: 0 }),
        descriptor("/proc/1/stat", 0),
        descriptor("/sys/kernel/x", O_RDWR),
        descriptor("/dev/null", O_RDWR, { type: "device" }),
        descriptor("pipe:[1]", O_WRONLY, { type: "pipe" }),
        descriptor("/memfd:x", O_RDWR, { type: "memfd" }),
      ],
      [mapping("/SYSV0", { type: "sysv", shared: true, writable: true }), mapping("/work/old.so", { deleted: true })],
    );
    expect(made).toEqual({ files: [], folders: [], needed: [], unlinked: [] });
  });

  test("a file that lost the name it was opened by, but has another, is named", () => {
    const made = plan([descriptor("/work/gone", O_RDWR, { deleted: true, hardLinks: 1, fd: 9 })]);
    expect(made.unlinked).toEqual([{ path: "/work/gone", reach: { type: "descriptor", pid: 100, fd: 9 } }]);
  });
});

describe("rules", () => {
  test("included files are copied whole, whether open or not", () => {
    const made = plan([descriptor("/work/log", O_WRONLY | O_APPEND), descriptor("/work/in", 0)], [], {
      included: ["/work/log", "/work/in", "/work/other"],
    });
    expect(hows(made)).toEqual({ "/work/log": "copy", "/work/in": "copy", "/work/other": "copy" });
    expect(made.needed).toEqual([]);
  });

  test("excluded files are never stored: one open for writing is left out, one only read is needed, one only included is nothing", () => {
    const made = plan([descriptor("/tmp/w", O_RDWR), descriptor("/tmp/r", 0)], [], {
      included: ["/tmp/i"],
      isExcluded: () => true,
    });
    expect(hows(made)).toEqual({ "/tmp/w": "left-out" });
    expect(neededPaths(made)).toEqual(["/tmp/r"]);
  });
});

test("no path is both captured and needed, and every open regular file is one of the two", () => {
  const anyFile = fc.record({
    name: fc.constantFrom("/work/a", "/work/b", "/tmp/c", "/dev/shm/d", "/run/media/e"),
    flags: fc.constantFrom(0, O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_APPEND),
    inode: fc.constantFrom("1:1", "1:2", "1:3"),
    isExcluded: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyFile, { maxLength: 8 }), (opened) => {
      const excluded = new Set<string>(opened.filter(({ isExcluded }) => isExcluded).map(({ name }) => name));
      const made = plan(
        opened.map(({ name, flags, inode }, fd) => descriptor(name, flags, { fd, inode })),
        [],
        { isExcluded: (path) => excluded.has(path) },
      );
      const seen = [...made.files.map(({ path }) => path), ...neededPaths(made)];
      expect(seen.toSorted()).toEqual([...new Set(opened.map(({ name }) => name))].toSorted());
      for (const { path, how } of made.files) if (excluded.has(path)) expect(how).toBe("left-out");
    }),
  );
});

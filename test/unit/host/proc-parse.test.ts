import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDescriptorInfo } from "../../../src/host/proc/descriptors.ts";
import { addressText, parseInetTable } from "../../../src/host/proc/inet-table.ts";
import { inodeText } from "../../../src/host/proc/kernel-file.ts";
import { parseMaps } from "../../../src/host/proc/mappings.ts";
import { parseStatus } from "../../../src/host/proc/process.ts";
import { isDead, isKernelThread, parseStat } from "../../../src/host/proc/stat.ts";
import { parseUnixTable } from "../../../src/host/proc/unix-table.ts";

// 52 fields, as kernel 6.18 writes them.
const statLine = (comm: string, flags = 4194560): string =>
  `4711 (${comm}) S 1 4711 4700 0 -1 ${flags} 120 0 0 0 3 4 0 0 20 0 1 0 525669 3964928 727 ${"0 ".repeat(28)}`;

describe("/proc/PID/stat", () => {
  test("is read right whatever the process calls itself", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15, unit: fc.constantFrom("a", "(", ")", " ", "R", "Z", "1") }), (comm) => {
        expect(parseStat(statLine(comm))).toMatchObject({
          pid: 4711,
          comm,
          state: "S",
          ppid: 1,
          sessionPid: 4700,
          startTicks: 525_669,
        });
      }),
    );
  });

  test("tells kernel threads by their flag or their parent, and the dead by their state", () => {
    const stat = parseStat(statLine("x"));
    const thread = parseStat(statLine("kworker/0:1", 0x0020_8040));
    if (stat === null || thread === null) throw new Error("not parsed");
    expect([isKernelThread(stat), isKernelThread(thread), isKernelThread({ ...stat, ppid: 2 })]).toEqual([false, true, true]);
    expect([isDead(stat), isDead({ ...stat, state: "Z" }), isDead({ ...stat, state: "t" })]).toEqual([false, true, false]);
  });

  test("is null for what is not one", () => {
    expect(parseStat("")).toBeNull();
  });
});

describe("/proc/PID/status", () => {
  const text =
    "Name:\ta: b\nPid:\t4711\nTracerPid:\t12\nNSpid:\t4711\t300\t7\nVmRSS:\t    1234 kB\nHugetlbPages:\t    2048 kB\nSeccomp:\t2\n";

  test("gives the innermost pid, the tracer, memory in bytes and whether there is a filter", () => {
    expect(parseStatus(text)).toEqual({ vpid: 7, tracerPid: 12, residentBytes: 1_263_616, hugeBytes: 2_097_152, seccomp: true });
  });

  test("is null for a process that went away", () => {
    expect(parseStatus("")).toBeNull();
  });
});

describe("/proc/PID/maps", () => {
  const line = (name: string, access = "rw-s") => `7f00-9f00 ${access} 00000000 fe:00 1234                       ${name}\n`;

  test("sorts mappings by their names", () => {
    const names: Readonly<Record<string, string>> = {
      "/usr/bin/sim": "file",
      "/dev/shm/vader_segment.0": "file",
      "/dev/zero (deleted)": "shmem",
      "/memfd:CRIUMFD (deleted)": "memfd",
      "/SYSV00000000 (deleted)": "sysv",
      "/dev/nvidia0": "device",
      "/dev/infiniband/uverbs0": "device",
      "anon_inode:[io_uring]": "special",
      "[vdso]": "special",
      "/[aio] (deleted)": "special",
      "[heap]": "anon",
      "[anon: libc malloc]": "anon",
      "/anon_hugepage (deleted)": "shmem",
    };
    const parsed = parseMaps(
      Object.keys(names)
        .map((name) => line(name))
        .join(""),
    );
    expect(parsed.map(({ type }) => type)).toEqual(Object.values(names));
  });

  test("leaves nameless memory out, and reads access, bytes and inode", () => {
    const nameless = "1000-2000 rw-p 00000000 00:00 0 \n";
    expect(parseMaps(nameless + line("/a b/out (deleted)", "r--p"))).toEqual([
      {
        ...{ range: "7f00-9f00", path: "/a b/out", deleted: true, shared: false, writable: false, type: "file" },
        ...{ inode: "fe:00:1234", bytes: 0x2000 },
      },
    ]);
  });

  test("writes a device as stat's numbers give it", () => {
    expect(inodeText(0xfe00n, 1234n)).toBe("fe:00:1234");
    expect(inodeText(0x1_0305n, 7n)).toBe("103:05:7");
    expect(inodeText(0x1000_1110_0370n, 7n)).toBe("1003:11170:7");
  });
});

describe("/proc/PID/fdinfo", () => {
  test("gives flags from octal, position, mount, terminal and locks", () => {
    const text =
      "pos:\t1199\nflags:\t0102001\nmnt_id:\t28\nino:\t9\nlock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\ntty-index:\t4\n";
    expect(parseDescriptorInfo(text)).toEqual({
      ...{ position: 1199, flags: 0o102001, mountId: 28, ttyIndex: 4 },
      locks: ["1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF"],
    });
    expect(parseDescriptorInfo("")).toBeNull();
  });
});

describe("/proc/PID/net", () => {
  test("an address is read in the machine's byte order; IPv4 in IPv6 clothes is IPv4", () => {
    expect(addressText("0100007F:1F90", "LE")).toBe("127.0.0.1:8080");
    expect(addressText("7F000001:1F90", "BE")).toBe("127.0.0.1:8080");
    expect(addressText("0000000000000000FFFF00000100007F:0050", "LE")).toBe("127.0.0.1:80");
    expect(addressText("00000000000000000000000001000000:0050", "LE")).toBe("[::1]:80");
    expect(addressText("00000000000000000000000000000000:0000", "LE")).toBe("[::]:0");
    expect(addressText("000080FE00000000FF005E02010000FE:0016", "LE")).toBe("[fe80::25e:ff:fe00:1]:22");
  });

  test("a TCP table gives states, inodes and what waits to be accepted", () => {
    const text = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:C0C3 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 418044 1 000 100 0 0 10 0",
      "   1: 0100007F:9C40 0100007F:C0C3 01 00000000:00000000 00:00000000 00000000     0        0 418045 1 000 20 4 30 10 -1",
      "   2: 0100007F:9C41 0100007F:C0C3 06 00000000:00000000 03:00000000 00000000     0        0 0 3 000",
      "",
    ].join("\n");
    expect(parseInetTable(text).map(({ inode, state, pending }) => [inode, state, pending])).toEqual([
      [418_044, "listening", 2],
      [418_045, "connected", 0],
      [0, "closing", 0],
    ]);
  });

  test("a Unix table gives kinds, states and paths with spaces", () => {
    const text = [
      "Num       RefCount Protocol Flags    Type St Inode Path",
      "0000000000000000: 00000002 00000000 00010000 0001 01 20811 /run/a b.sock",
      "0000000000000000: 00000003 00000000 00000000 0001 03 20812",
      "0000000000000000: 00000002 00000000 00000000 0002 01   913 @/tmp/.X11-unix/X0",
      "0000000000000000: 00000002 00000000 00000000 0005 01 20814",
      "",
    ].join("\n");
    expect(parseUnixTable(text)).toEqual([
      { inode: 20_811, kind: "stream", state: "listening", path: "/run/a b.sock" },
      { inode: 20_812, kind: "stream", state: "connected", path: "" },
      { inode: 913, kind: "dgram", state: "unconnected", path: "@/tmp/.X11-unix/X0" },
      { inode: 20_814, kind: "seqpacket", state: "unconnected", path: "" },
    ]);
  });
});

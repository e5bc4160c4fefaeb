import { spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { findings } from "../../../src/domain/findings.ts";
import { processesUnder } from "../../../src/host/proc/tree.ts";
import { openScene, processes, type Scene, type Specimen, type Start } from "./scene.ts";

const isRoot = process.geteuid?.() === 0;
if (!isRoot) {
  const why = "the inspector's tests need root (namespaces, other processes' files)";
  if (process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error(why);
  process.stderr.write(`skipped: ${why}\n`);
}

let scene: Scene;
let live: Specimen | null = null;

/** Starts it and gives the codes that are found; `null` if this kernel has no such thing. */
async function codesOf(start: Start, kind: string, argument?: string): Promise<readonly string[] | null> {
  live = await start(kind, argument);
  return live === null ? null : (await live.findings()).map(({ code }) => code).toSorted();
}

describe.skipIf(!isRoot)("the inspector", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    scene = await openScene();
  }, 60_000);
  afterAll(() => scene.remove());
  afterEach(() => live?.end());

  // Each kind under the init, with exactly these findings and no other.
  test.for<readonly [kind: string, codes: readonly string[]]>([
    ["nothing", []],
    ["tcp-inside", ["tcp-inside", "tcp-listening"]],
    ["tcp-half-closed", ["tcp-inside"]],
    ["tcp-listening", ["tcp-listening"]],
    ["tcp-waiting", ["tcp-inside", "tcp-waiting"]],
    ["udp", ["udp"]],
    ["unbound", []],
    ["socket-kind", ["socket-kind"]],
    ["unix-inside", ["unix-inside"]],
    ["unix-half-closed", []],
    ["locks", ["locks"]],
    ["unlinked-file", ["unlinked-file"]],
    ["unlinked-name", ["unlinked-name"]],
    ["odd-name", []],
    ["deleted-cwd", ["deleted-cwd"]],
    ["inotify", ["inotify"]],
    ["pipe-inside", []],
    ["pipe-half-closed", []],
    ["terminal-inside", ["terminal-inside"]],
    ["io-uring", ["io-uring"]],
    ["userfaultfd", ["userfaultfd"]],
    ["perf-event", ["perf-event"]],
    ["bpf", ["bpf"]],
    ["device", ["device"]],
    ["memory-devices", []],
    ["sysv", ["sysv-own"]],
    ["huge-pages", ["huge-pages"]],
    ["criu-leftover", ["criu-leftover"]],
    ["stopped", ["stopped"]],
    ["strays", ["strays"]],
    ["zombie", ["zombie"]],
    ["seccomp", ["seccomp"]],
    ["namespace-own", ["namespace-own"]],
    ["namespace-nested", ["namespace-nested"]],
    ["odd-comm", []],
  ])("finds in %s: %s", async ([kind, codes], { skip }) => {
    const found = await codesOf(scene.launched, kind);
    if (found === null) return skip("this kernel has no such thing");
    expect(found).toEqual(codes);
  });

  test.for<readonly [kind: string, codes: readonly string[]]>([
    ["nothing", []],
    ["tcp-outside", ["tcp-outside"]],
    ["unix-outside", ["unix-outside"]],
    ["pipe-outside", ["pipe-outside"]],
    ["terminal", ["terminal"]],
    ["traced", ["traced"]],
    ["not-session-leader", ["not-session-leader"]],
    ["sysv", ["sysv-host"]],
  ])("finds in %s, taken on from the host's namespaces: %s", async ([kind, codes], { skip }) => {
    const found = await codesOf(scene.adopted, kind);
    if (found === null) return skip("this kernel has no such thing");
    expect(found).toEqual(codes);
  });

  test("tells a datagram socket connected to a named one outside from a stream", async () => {
    const socket = path.join(scene.folder, "server.sock");
    const server = await scene.adopted("datagram-server", socket);
    expect(await codesOf(scene.launched, "unix-datagram", socket)).toEqual(["unix-datagram"]);
    const facts = await live?.inspect();
    expect(facts?.sockets).toMatchObject([{ family: "unix", kind: "dgram", state: "connected", remote: socket, peer: "outside" }]);
    server?.end();
  });

  test("refuses SysV memory under an init that left the IPC namespace alone", async () => {
    expect(await codesOf(scene.launchedInHostIpc, "sysv")).toEqual(["sysv-host"]);
  });

  test("names what was opened in another mount namespace, and sees a process that entered as nobody's stray", async () => {
    const job = await scene.launched("nothing");
    live = job;
    const initPid = String(job?.init?.pid);
    const entered = spawn("nsenter", ["-t", initPid, "-p", "-m", "--", "sleep", "60"], { stdio: ["ignore", "ignore", "ignore"] });
    try {
      await sleep(300);
      expect(await job?.findings()).toEqual([]);
      const [sleeper] = childrenOf(entered.pid ?? 0);
      const root = await processes.identify(sleeper ?? 0);
      const facts = root === null ? null : await processes.inspect(root, job?.init ?? null);
      const foreign = facts?.processes[0]?.descriptors.filter(({ foreignMount }) => foreignMount === true);
      expect(foreign?.map(({ fd }) => fd)).toEqual([0, 1, 2]);
    } finally {
      entered.kill("SIGKILL");
      const [sleeper] = childrenOf(entered.pid ?? 0);
      if (sleeper !== undefined) process.kill(sleeper, "SIGKILL");
    }
  });

  test("a container's process cannot be taken on from outside", async () => {
    const job = await scene.launched("nothing");
    live = job;
    const facts = job === null ? null : await processes.inspect(job.root, null);
    expect(facts).toMatchObject({ strays: [], rootVpid: 300 });
    const found = facts === null ? [] : findings(facts);
    expect(found).toMatchObject([{ code: "namespace-own", what: "lives in namespaces of its own: mnt, pid" }]);
  });

  test("gives pids of both sides, the parents first, and the session", async () => {
    live = await scene.launched("zombie");
    const facts = await live?.inspect();
    const [top, dead] = facts?.processes ?? [];
    expect(facts?.rootVpid).toBe(300);
    expect(top).toMatchObject({ pid: live?.root.pid, vpid: 300, comm: "specimen", sessionPid: live?.root.pid, state: "S" });
    expect(dead).toMatchObject({ vpid: 301, ppid: live?.root.pid, state: "Z", descriptors: [], mappings: [] });
  });

  test("reads flags, position, size and deletion of files, and mappings by their names", async () => {
    live = await scene.launched("unlinked-file");
    const [top] = (await live?.inspect())?.processes ?? [];
    const ghost = top?.descriptors.find(({ target }) => target.endsWith("/ghost"));
    expect(ghost).toMatchObject({ type: "file", deleted: true, hardLinks: 0, size: 2048 * 768, position: 2048 * 768 });
    const out = top?.descriptors.find(({ fd }) => fd === 1);
    expect(out).toMatchObject({ type: "file", deleted: false, hardLinks: 1 });
    expect((out?.flags ?? 0) & 0o2003).toBe(0o2001);
    const program = top?.mappings.filter(({ path: name }) => name.endsWith("/specimen"));
    expect(program?.length).toBeGreaterThan(1);
    expect(new Set(program?.map(({ type, shared }) => `${type} ${shared}`))).toEqual(new Set(["file false"]));
    const unlinkedMapping = top?.mappings.find(({ deleted }) => deleted);
    expect(unlinkedMapping).toBeUndefined();
  });

  test("an identity is no longer alive once its process is a zombie, and a signal does not reach another one", async () => {
    live = await scene.launched("zombie");
    const dead = (await live?.inspect())?.processes.find(({ state }) => state === "Z");
    expect(await processes.identify(dead?.pid ?? 0)).toBeNull();
    const root = live?.root;
    if (root === undefined) throw new Error("nothing runs");
    expect(processes.isAlive(root)).toBe(true);
    expect(processes.signal({ ...root, startTicks: root.startTicks - 1 }, "SIGKILL")).toBe(false);
    expect(processes.isAlive({ ...root, bootId: "another boot" })).toBe(false);
    expect(processes.signal(root, "SIGKILL")).toBe(true);
    for (let round = 0; round < 200 && processes.isAlive(root); round++) await sleep(20);
    expect(processes.isAlive(root)).toBe(false);
    await expect(processes.inspect(root, null)).rejects.toMatchObject({ code: "pid-unknown" });
  });

  test("reads a process that a tracer holds still, as inside a freeze", async () => {
    live = await scene.adopted("traced");
    let facts = await live?.inspect();
    for (let round = 0; round < 200 && facts?.processes[0]?.state !== "t"; round++) {
      await sleep(20);
      facts = await live?.inspect();
    }
    expect(facts?.processes).toMatchObject([{ state: "t", comm: "specimen", cwd: live?.folder }]);
    expect(facts?.processes[0]?.descriptors.map(({ fd }) => fd)).toEqual([0, 1, 2]);
    expect(facts?.processes[0]?.mappings.length).toBeGreaterThan(3);
  });

  test("a name with spaces and parentheses does not mislead it", async () => {
    live = await scene.launched("odd-comm");
    const [top] = (await live?.inspect())?.processes ?? [];
    expect(top).toMatchObject({ comm: "a) R (b c", state: "S", startTicks: live?.root.startTicks });
  });

  test("refuses itself and what it runs under, threads of the kernel, and a pid that nobody has", async () => {
    const boot = { bootId: processes.self().bootId };
    await expect(processes.inspect(processes.self(), null)).rejects.toMatchObject({ code: "pid-self" });
    const parent = await processes.identify(process.ppid);
    if (parent !== null) await expect(processes.inspect(parent, null)).rejects.toMatchObject({ code: "pid-self" });
    const kernel = await processes.identify(2);
    if (kernel !== null) await expect(processes.inspect(kernel, null)).rejects.toMatchObject({ code: "pid-kernel-thread" });
    await expect(processes.inspect({ ...boot, pid: 4_194_304, startTicks: 1 }, null)).rejects.toMatchObject({
      code: "pid-unknown",
    });
  });
});

function childrenOf(pid: number): readonly number[] {
  return processesUnder(pid).flatMap((stat) => (stat.ppid === pid ? [stat.pid] : []));
}

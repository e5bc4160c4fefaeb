import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { dumpOptions, findings, restoreOptions } from "../../../src/domain/findings.ts";
import type { Finding } from "../../../src/domain/finding.ts";
import { processesUnder } from "../../../src/host/proc/tree.ts";
import { openScene, specimen, type Scene, type Specimen, type Start } from "../../integration/processes/scene.ts";

/** CRIU, by HOLDFAST_CRIU_COMMAND (words with spaces between) or as the platform floor found it. */
const criu = findCriu();

function findCriu(): readonly string[] | null {
  const named = process.env["HOLDFAST_CRIU_COMMAND"]?.split(" ").filter(Boolean) ?? [];
  if (named.length > 0) return named;
  const platform = inject("platform");
  if (platform?.ready === true) return platform.criu;
  if (process.env["HOLDFAST_REQUIRE_CRIU"] === "1") throw new Error("HOLDFAST_REQUIRE_CRIU=1, and there is no CRIU");
  process.stderr.write("skipped: there is no CRIU; name it with HOLDFAST_CRIU_COMMAND\n");
  return null;
}

const always = ["--no-default-config", "-v4", "--manage-cgroups=ignore", "--cpu-cap=ins,fpu"];
const run = promisify(execFile);

let scene: Scene;
const live: Specimen[] = [];

async function started(start: Start, kind: string, argument?: string): Promise<Specimen | null> {
  const made = await start(kind, argument);
  if (made !== null) live.push(made);
  return made;
}

/** Exit status 0, or the first error in CRIU's log. */
async function dump(job: Specimen, name: string, options: readonly string[]): Promise<true | string> {
  const images = path.join(job.folder, name);
  mkdirSync(images);
  const { rootVpid } = await job.inspect();
  const words = [...(criu ?? []), "dump", ...always, "-t", String(rootVpid), "-D", images, "-R", "-o", "dump.log", ...options];
  const entered = job.init === null ? words : ["nsenter", "-t", String(job.init.pid), "-p", "-m", "--", ...words];
  return outcome(entered, path.join(images, "dump.log"));
}

async function outcome(words: readonly string[], log: string): Promise<true | string> {
  try {
    await run(words[0] ?? "", words.slice(1), { timeout: 60_000 });
    return true;
  } catch (error) {
    const errors = readFileSync(log, "utf8").match(/Error .*/g) ?? [(error as Error).message];
    return errors.filter((line) => !line.includes("rlimit")).join("\n");
  }
}

/** Ends the job, and brings it back under a new init, as the launcher does. */
async function restore(job: Specimen, name: string, options: readonly string[]): Promise<Specimen | string> {
  job.end();
  await sleep(200);
  const images = path.join(job.folder, name);
  const folder = path.join(job.folder, `restored-${name}`);
  mkdirSync(folder);
  const pidfile = path.join(folder, "pidfile");
  const words = [
    ...(criu ?? []),
    "restore",
    ...always,
    "-d",
    "-S",
    "-D",
    images,
    "-W",
    folder,
    "-o",
    "restore.log",
    "--pidfile",
    pidfile,
  ];
  const done = await outcome(
    [scene.init, "-r", folder, "-n", "9000", "-p", pidfile, "--", ...words, ...options],
    path.join(folder, "restore.log"),
  );
  if (done !== true) return done;
  const init = Number(readFileSync(path.join(folder, "init"), "utf8"));
  const vpid = Number(readFileSync(path.join(folder, "root"), "utf8"));
  for (const { pid } of processesUnder(init).filter(({ ppid }) => ppid === init)) {
    const restored = await specimen(folder, pid, init, init);
    live.push(restored);
    if ((await restored.inspect()).rootVpid === vpid) return restored;
  }
  return "the restored root is not there";
}

const codes = (found: readonly Finding[]): readonly string[] => found.map(({ code }) => code).toSorted();

describe.skipIf(criu === null)("what the findings promise of CRIU", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    scene = await openScene();
  }, 60_000);
  afterAll(() => scene.remove());
  afterEach(() => {
    for (const one of live.splice(0)) one.end();
  });

  // The same findings in the restored tree: what was handled has come back.
  test.for<readonly [kind: string, code: string, needsOptions: boolean]>([
    ["tcp-inside", "tcp-inside", true],
    ["tcp-half-closed", "tcp-inside", true],
    ["tcp-listening", "tcp-listening", false],
    ["udp", "udp", false],
    ["unix-inside", "unix-inside", false],
    ["locks", "locks", true],
    ["unlinked-file", "unlinked-file", true],
    ["deleted-cwd", "deleted-cwd", false],
    ["inotify", "inotify", false],
    ["terminal-inside", "terminal-inside", false],
    ["sysv", "sysv-own", false],
    ["zombie", "zombie", false],
    ["seccomp", "seccomp", false],
    ["stopped", "stopped", false],
    ["criu-leftover", "criu-leftover", false],
    ["huge-pages", "huge-pages", false],
  ])("%s (%s): the derived options take it through dump and restore; needed: %s", async ([kind, code, needsOptions], { skip }) => {
    const job = await started(scene.launched, kind);
    if (job === null) return skip("this kernel has no such thing");
    const found = await job.findings();
    expect(codes(found)).toContain(code);
    expect(found.filter(({ level }) => level === "refused")).toEqual([]);
    expect(dumpOptions(found).length > 0).toBe(needsOptions);
    if (needsOptions) expect(await dump(job, "plain", [])).toMatch(/Error/);
    expect(await dump(job, "derived", dumpOptions(found))).toBe(true);
    const restored = await restore(job, "derived", restoreOptions(found));
    if (typeof restored === "string") throw new Error(restored);
    expect(codes(await restored.findings())).toEqual(codes(found));
  });

  test("a name that is gone (unlinked-name) is dumped by a link beside it", async () => {
    const job = await started(scene.launched, "unlinked-name");
    const found = (await job?.findings()) ?? [];
    if (job === null) throw new Error("not started");
    expect(await dump(job, "plain", [])).toMatch(/link-remap/);
    expect(await dump(job, "derived", dumpOptions(found))).toBe(true);
  });

  test("a datagram socket (unix-datagram) is connected again by name", async () => {
    const socket = path.join(scene.folder, "server.sock");
    await started(scene.adopted, "datagram-server", socket);
    const job = await started(scene.launched, "unix-datagram", socket);
    if (job === null) throw new Error("not started");
    const found = await job.findings();
    expect(await dump(job, "plain", [])).toMatch(/ext-unix-sk/);
    expect(await dump(job, "derived", dumpOptions(found))).toBe(true);
    const restored = await restore(job, "derived", restoreOptions(found));
    if (typeof restored === "string") throw new Error(restored);
    expect((await restored.inspect()).sockets).toMatchObject([{ kind: "dgram", remote: socket, peer: "outside" }]);
  });

  test("a tree without a session of its own (not-session-leader) comes back under an init", async () => {
    const job = await started(scene.adopted, "not-session-leader");
    if (job === null) throw new Error("not started");
    const found = await job.findings();
    expect(codes(found)).toEqual(["not-session-leader"]);
    expect(await dump(job, "plain", [])).toMatch(/session leader/);
    expect(await dump(job, "derived", dumpOptions(found))).toBe(true);
    const restored = await restore(job, "derived", restoreOptions(found));
    if (typeof restored === "string") throw new Error(restored);
    expect(codes(await restored.findings())).toEqual(["not-session-leader"]);
  });

  // Not refused in vain: CRIU cannot, whatever is derived from the findings.
  test.for<readonly [kind: string, code: string, from: "launched" | "launchedInHostIpc" | "adopted"]>([
    ["tcp-waiting", "tcp-waiting", "launched"],
    ["tcp-outside", "tcp-outside", "adopted"],
    ["unix-outside", "unix-outside", "adopted"],
    ["socket-kind", "socket-kind", "launched"],
    ["terminal", "terminal", "adopted"],
    ["io-uring", "io-uring", "launched"],
    ["userfaultfd", "userfaultfd", "launched"],
    ["perf-event", "perf-event", "launched"],
    ["bpf", "bpf", "launched"],
    ["device", "device", "launched"],
    ["sysv", "sysv-host", "launchedInHostIpc"],
    ["traced", "traced", "adopted"],
    ["namespace-nested", "namespace-nested", "launched"],
  ])("%s (%s) is refused, and CRIU does refuse it", async ([kind, code, from], { skip }) => {
    const job = await started(scene[from], kind);
    if (job === null) return skip("this kernel has no such thing");
    const found = await job.findings();
    expect(found[0]).toMatchObject({ code, level: "refused" });
    expect(await dump(job, "derived", dumpOptions(found))).toMatch(/Error/);
  });

  test("a pipe to the outside (pipe-outside) is refused although CRIU dumps it: its far end does not come back", async () => {
    const job = await started(scene.adopted, "pipe-outside");
    if (job === null) throw new Error("not started");
    const found = await job.findings();
    expect(found[0]).toMatchObject({ code: "pipe-outside", level: "refused" });
    expect(await dump(job, "derived", dumpOptions(found))).toBe(true);
    const restored = await restore(job, "derived", restoreOptions(found));
    if (typeof restored === "string") throw new Error(restored);
    const facts = await restored.inspect();
    expect(facts.processes[0]?.descriptors.filter(({ type }) => type === "pipe")).toHaveLength(1);
    expect(codes(findings(facts))).not.toContain("pipe-outside");
  });
});

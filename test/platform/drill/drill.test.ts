import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { child } from "../child.ts";
import { guard, pointsOf, reboot } from "../guard.ts";
import { goFast, readOutputs, undisturbed } from "../outputs.ts";
import { type Proof, proofs } from "../proof-programs.ts";
import { until } from "../service/service.ts";
import { launcher } from "../setup.ts";
import { gone, lives, openWorld, type StartDocument, type StatusDocument, type World } from "../world.ts";

const platform = inject("platform");
const programs = platform.ready ? platform.programs : "";
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

type DrillDocument = {
  readonly job: string;
  readonly point: number;
  readonly livedMilliseconds: number;
  readonly processes: number;
  readonly compared: number;
  readonly files: number;
  readonly copied: readonly string[];
  readonly readOnly: readonly string[];
};

/** Appends to a log it holds open, rewrites one file in place and gives another its name anew, 600 times. */
const scribe = `exec 3>>log; i=0
while [ $i -lt 600 ]; do i=$((i+1)); echo "line $i" >&3; echo "state $i" >rewritten; echo "state $i" >aside; mv aside renamed
[ -e fast ] || sleep 0.05; done; exit 7`;

describe.skipIf(!platform.ready)(`a drill${reason}`, () => {
  let world: World;

  const run = (name: string, ...words: readonly string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--every", "never", "--keep", "all", "--cwd", world.cwd, "--", ...words]);
  const drill = (name: string, resume = "1s") => world.json<DrillDocument>(["drill", name], { HOLDFAST_DRILL_RESUME: resume });
  const drillFolder = (name: string) => path.join(world.vault, "jobs", name, ".drill-1");
  const leftFolders = async (name: string) =>
    (await readdir(path.join(world.vault, "jobs", name))).filter((entry) => entry.startsWith(".drill"));

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(async () => world.close());

  test("changes no file, no mount and no process of the machine, and the job runs on as if nothing had been", async () => {
    const { pid, initPid, output } = await run("scribe", "sh", "-c", scribe);
    await until("a job at work", async () => (await textOf("log")).length > 100);
    await world.json(["take", "scribe"]);
    const live = await treeOf(initPid);
    // It stands still, so that whatever changes now is the drill's doing.
    for (const one of live) process.kill(one, "SIGSTOP");
    await wait(200);
    const before = { files: await factsOf([world.cwd, path.dirname(output)]), mounts: await mounts() };
    const report = await drill("scribe", "3s");
    expect(report).toMatchObject({ job: "scribe", point: 1, processes: 2, readOnly: [] });
    expect(report.livedMilliseconds).toBeGreaterThanOrEqual(3000);
    expect(report.compared).toBeGreaterThan(20);
    expect({ files: await factsOf([world.cwd, path.dirname(output)]), mounts: await mounts() }).toEqual(before);
    expect(await leftFolders("scribe")).toEqual([]);
    expect(await processesWith(world.root)).toEqual([initPid]);
    goOn(live);
    await drill("scribe");
    expect((await pointsOf(world, "scribe")) as readonly unknown[]).toMatchObject([{ number: 1, provenAt: expect.any(String) }]);
    await goFast(world.cwd);
    await gone(pid);
    const { jobs } = await world.json<StatusDocument>(["status", "scribe"]);
    expect(jobs).toMatchObject([{ run: { ending: { type: "exited", status: 7 } } }]);
    expect(await textOf("log")).toBe(Array.from({ length: 600 }, (_, line) => `line ${line + 1}\n`).join(""));
    expect([await textOf("rewritten"), await textOf("renamed")]).toEqual(["state 600\n", "state 600\n"]);
  });

  test("reaches nobody by the network", async () => {
    const ear = createSocket("udp4");
    let heard = 0;
    ear.on("message", () => (heard += 1));
    ear.bind(0, "127.0.0.1");
    await once(ear, "listening");
    const script = `use IO::Socket::INET; while (1) { my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "127.0.0.1:${ear.address().port}");
      $s->send("beat") if $s; close $s if $s; select(undef, undef, undef, 0.02); open(my $f, ">>", "beats"); print $f "."; close $f }`;
    try {
      const { initPid } = await run("caller", "perl", "-e", script);
      await until("a job that is heard", async () => heard > 3);
      await world.json(["take", "caller"]);
      const live = await treeOf(initPid);
      for (const one of live) process.kill(one, "SIGSTOP");
      await wait(200);
      const [before, beats] = [heard, (await textOf("beats")).length];
      await drill("caller", "2s");
      expect({ heard, beats: (await textOf("beats")).length }).toEqual({ heard: before, beats });
      goOn(live);
      await until("a job that is heard again", async () => heard > before);
      await world.json(["stop", "caller", "--no-take", "--kill"]);
    } finally {
      ear.close();
    }
  });

  test("runs at idle priority, first in line for the out-of-memory killer, in namespaces of its own", async () => {
    const { pid } = await run("idle", "sh", "-c", "while :; do :; done");
    await world.json(["take", "idle"]);
    const drilling = drill("idle", "4s");
    const copy = await copyOf("idle");
    expect(copy).not.toBe(pid);
    const fields = (await readFile(`/proc/${copy}/stat`, "latin1")).split(") ").at(-1)?.split(" ") ?? [];
    // Fields 19 and 41 of proc_pid_stat(5): nice 19, and SCHED_IDLE.
    expect([fields[16], fields[38]]).toEqual(["19", "5"]);
    expect((await child(["ionice", "-p", String(copy)])).stdout.trim()).toBe("idle");
    expect((await readFile(`/proc/${copy}/oom_score_adj`, "utf8")).trim()).toBe("1000");
    for (const name of ["pid", "mnt", "net", "ipc", "uts"]) {
      const own = await readlink(`/proc/${copy}/ns/${name}`);
      expect(own, name).not.toBe(await readlink(`/proc/${pid}/ns/${name}`));
      expect(own, name).not.toBe(await readlink(`/proc/self/ns/${name}`));
    }
    await drilling;
    expect(await lives(copy)).toBe(false);
    expect(await lives(pid)).toBe(true);
    await world.json(["stop", "idle", "--no-take", "--kill"]);
  });

  test("that is killed leaves a copy which whoever comes next ends and sweeps; the job lives", async () => {
    const { pid } = await run("cut", "sh", "-c", "while :; do sleep 0.1; done");
    await world.json(["take", "cut"]);
    const env = { ...process.env, ...world.env, HOLDFAST_DRILL_RESUME: "60s" };
    const drilling = spawn(launcher, ["drill", "cut"], { env, stdio: "ignore" });
    const copy = await copyOf("cut");
    drilling.kill("SIGKILL");
    await once(drilling, "exit");
    expect([await lives(copy), await leftFolders("cut")]).toEqual([true, [".drill-1"]]);
    expect(await world.json(["take", "cut"])).toMatchObject({ point: 2 });
    expect([await lives(copy), await leftFolders("cut"), await lives(pid)]).toEqual([false, [], true]);
    await world.json(["stop", "cut", "--no-take", "--kill"]);
  });

  test("of a job that talks to another program's socket is refused, and it is said why", async () => {
    const socket = path.join(world.cwd, "ear");
    const ear = spawn("perl", [
      ...["-MIO::Socket::UNIX", "-MSocket", "-e"],
      `my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "${socket}") or die; open(my $f, ">", "${socket}.up"); close $f; sleep 3600`,
    ]);
    try {
      await until("an ear", async () => (await readFile(`${socket}.up`).catch(() => null)) !== null);
      const script = `my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "${socket}") or die; while (1) { $s->send("x"); sleep 1 }`;
      await run("tied", "perl", "-MIO::Socket::UNIX", "-MSocket", "-e", script);
      await wait(300);
      await world.json(["take", "tied"]);
      const refused = await world.fault(["drill", "tied"]);
      expect(refused).toMatchObject({ status: 12, code: "drill-refused" });
      expect(refused.message).toContain(socket);
      await world.json(["stop", "tied", "--no-take", "--kill"]);
    } finally {
      ear.kill();
    }
  });

  /** Waits until the drill's copy runs; gives its root. */
  async function copyOf(name: string): Promise<number> {
    const runFolder = path.join(drillFolder(name), "run");
    await until("a copy that runs", async () => (await readFile(path.join(runFolder, "root"), "utf8").catch(() => "")) !== "");
    const init = Number(await readFile(path.join(runFolder, "init"), "utf8"));
    const vpid = (await readFile(path.join(runFolder, "root"), "utf8")).trim();
    for (const pid of await treeOf(init))
      if ((await readFile(`/proc/${pid}/status`, "utf8")).match(/^NSpid:.*\s(\d+)$/m)?.[1] === vpid) return pid;
    throw new Error(`no copy of ${name}`);
  }

  const textOf = (name: string) => readFile(path.join(world.cwd, name), "utf8").catch(() => "");
});

const drilled: readonly Proof[] = [proofs.single, proofs.threads, proofs.pipeline, proofs.workers, proofs.sysv, proofs.lammps];

describe.skipIf(!platform.ready).each(drilled)(`a drill of $name${reason}`, (proof) => {
  const unique = `holdfast-test-drill-${proof.name}-${process.pid}`;
  let world: World;

  beforeAll(async () => {
    world = await openWorld(proof.place);
  });
  afterAll(async () => {
    await world.close();
    await reboot(proof, unique);
  });

  test("proves both points of a chain, and the job's outputs are those of an undisturbed run", { timeout: 300_000 }, async () => {
    const expected = await undisturbed(proof, programs, unique);
    const { started } = await guard(world, proof, programs, unique, 2);
    for (const point of ["1", "2"]) {
      const report = await world.json<DrillDocument>(["drill", proof.name, "--point", point], { HOLDFAST_DRILL_RESUME: "1s" });
      expect(report).toMatchObject({ job: proof.name, point: Number(point), readOnly: [] });
      expect(report.compared).toBeGreaterThan(20);
    }
    await goFast(world.cwd);
    await gone(started.pid, 200);
    const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
    expect(jobs).toMatchObject([{ run: { ending: { type: "exited", status: proof.status } } }]);
    expect(await readOutputs(proof, world.cwd, started.output)).toEqual(expected);
  });
});

/** One that had ended and was waited for by a stopped parent goes as soon as that goes on. */
function goOn(pids: readonly number[]): void {
  for (const pid of pids)
    try {
      process.kill(pid, "SIGCONT");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}

/** A process's children and below, itself left out. */
async function treeOf(pid: number): Promise<readonly number[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "")).split(" ").filter(Boolean);
  const below = await Promise.all(children.map(async (one) => [Number(one), ...(await treeOf(Number(one)))]));
  return below.flat();
}

/** All that a file's inode says of it, but for the time of the last reading. */
async function factsOf(folders: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const folder of folders)
    for (const name of ["", ...(await readdir(folder))]) {
      const { ino, size, mtimeNs, ctimeNs, mode } = await stat(path.join(folder, name), { bigint: true });
      found[path.join(folder, name)] = [ino, size, mtimeNs, ctimeNs, mode].join(" ");
    }
  return found;
}

/** Other tests mount loop devices of their own meanwhile. */
async function mounts(): Promise<readonly string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.filter((line) => !line.includes("/holdfast-test-loop-"));
}

/** Live processes that have this text among their words. */
async function processesWith(text: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const words = await Promise.all(
    pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")] as const),
  );
  return words.flatMap(([pid, line]) => (line.includes(text) ? [pid] : []));
}

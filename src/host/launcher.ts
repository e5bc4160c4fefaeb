import { readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Ending } from "../domain/run.ts";
import type { BringBackRequest, Launched, Launcher, LaunchRequest, Processes } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import type { InitProgram } from "./init-program.ts";
import { makeStream, requireCommand, requireFolder, systemTool } from "./launch-needs.ts";
import { findUser } from "./user.ts";

/** What a failed restore's log says, in a sentence; the criu room's table, handed in so that rooms do not meet. */
export type ExplainLog = (log: string) => string;

/**
 * Starts runs under the static init, each in a pid, mount and IPC namespace of its own.
 * The starter ends as soon as the job runs; init is then the machine's child, so neither the service nor a terminal takes it along.
 */
export function openLauncher(program: () => Promise<InitProgram>, processes: Processes, explain: ExplainLog): Launcher {
  async function launch(request: LaunchRequest): Promise<Launched> {
    const { job, runFolder } = request;
    const output = job.output ?? "/dev/null";
    const error = job.error ?? output;
    const user = job.user === null ? null : await findUser(job.user);
    await requireFolder(job.cwd);
    // setpriv would find out only when the job counts as started.
    if (user) await requireCommand(job);
    for (const stream of new Set([output, error])) await makeStream(stream, user);
    const limits = Object.entries(job.limits).map(([name, value]) => `--${name}=${value}`);
    const { init } = await program();
    const words = [
      ...(limits.length > 0 ? [await systemTool("prlimit"), ...limits, "--"] : []),
      ...[init, "-r", runFolder, "-i", "-c", job.cwd, "-o", output, "-e", error, "--"],
      ...(user ? [await systemTool("setpriv"), `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--"] : []),
      ...job.command,
    ];
    const done = await start(words, job.env);
    if (done.exitCode !== 0) {
      requireRoom(done.said, runFolder);
      throw Fault.of("launch-failed", {
        job: job.name,
        why: done.said,
        advice: "check the command, its path and the working directory",
      });
    }
    return (
      (await find(runFolder)) ??
      ended(runFolder, () => Fault.of("launch-failed", { job: job.name, why: "it ended at once", advice: `look at ${error}` }))
    );
  }

  /** Ports that the job's dead loopback connections still hold (TIME_WAIT, a minute) are asked for, then waited for. */
  async function bringBack(request: BringBackRequest): Promise<Launched> {
    const until = performance.now() + portWaitMilliseconds;
    for (;;) {
      try {
        return await bringBackOnce(request);
      } catch (error) {
        const held = error instanceof Fault && error.code === "restore-failed" && error.message.includes("Address already in use");
        if (!held || performance.now() > until) throw error;
        await forgetLoopback();
        await sleep(1000);
      }
    }
  }

  async function bringBackOnce(request: BringBackRequest): Promise<Launched> {
    const { init } = await program();
    // CRIU refuses to write over one that an earlier try left.
    await rm(request.pidfile, { force: true });
    const said = path.join(request.runFolder, "criu.out");
    const { log, pidfile } = request;
    const cursor = await freePids(request.highestPid);
    const words = [
      ...[init, "-r", request.runFolder, ...(request.view === undefined ? [] : ["-d", request.view])],
      ...["-n", String(cursor), "-o", said, "-e", said, "-p", pidfile, "--"],
      ...request.words,
    ];
    const env = {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      LC_ALL: "C",
      HOLDFAST_LAST_PID: String(Math.max(299, Math.min(request.highestPid, largestPid))),
      ...(request.view === undefined ? {} : { HOLDFAST_STOP: request.runFolder }),
    };
    let timedOut = false;
    // CRIU spins for ever on a damaged image: end the whole namespace, CRIU and half-made tasks with it.
    const watchdog = setTimeout(() => {
      timedOut = true;
      void abandon(request.runFolder);
    }, request.timeoutSeconds * 1000);
    const done = await start(words, env).finally(() => clearTimeout(watchdog));
    const detail = { point: request.point, job: request.job, log, other: "N" };
    if (timedOut) throw Fault.of("restore-timeout", { ...detail, seconds: request.timeoutSeconds });
    if (done.exitCode !== 0) {
      const text = await readFile(log, "utf8").catch(() => "");
      requireRoom(done.said, request.runFolder);
      const why = text === "" ? done.said : explain(text);
      throw Fault.of(/Unable to detach \d+: No such process/.test(text) ? "restore-raced" : "restore-failed", { ...detail, why });
    }
    return (
      (await find(request.runFolder)) ??
      ended(request.runFolder, () => Fault.of("restore-failed", { ...detail, why: "the job ended as soon as it ran again" }))
    );
  }

  async function find(runFolder: string): Promise<Launched | null> {
    const initPid = await readNumber(path.join(runFolder, "init"));
    const rootVpid = await readNumber(path.join(runFolder, "root"));
    if (initPid === null || rootVpid === null) return null;
    const init = await processes.identify(initPid);
    if (!init || !(await isInitOf(initPid, runFolder))) return null;
    const rootPid = await hostPid(initPid, rootVpid);
    const root = rootPid === null ? null : await processes.identify(rootPid);
    return root && { init, root, rootVpid };
  }

  return { launch, bringBack, find, abandon, ending, endedAt };

  /**
   * A job that ended before it could be looked at was started, and is over: its init writes the record a moment after the end.
   * Waits for that, or for the end of an init that writes nothing.
   */
  async function ended(runFolder: string, fault: () => Fault): Promise<Launched> {
    const initPid = await readNumber(path.join(runFolder, "init"));
    const rootVpid = await readNumber(path.join(runFolder, "root"));
    if (initPid === null || rootVpid === null) throw fault();
    for (let lives = true; lives;) {
      lives = (await processes.identify(initPid)) !== null && (await isInitOf(initPid, runFolder));
      const live = lives ? await find(runFolder) : null;
      if (live) return live;
      if ((await ending(runFolder)) !== null) {
        const gone = { pid: initPid, startTicks: 0, bootId: processes.self().bootId };
        return { init: gone, root: gone, rootVpid };
      }
      await sleep(10);
    }
    throw fault();
  }

  async function abandon(runFolder: string): Promise<void> {
    const pid = await readNumber(path.join(runFolder, "init"));
    const init = pid === null ? null : await processes.identify(pid);
    if (!init || !(await isInitOf(init.pid, runFolder))) return;
    // The kernel ends the namespace with its init, and lets the init go when all others are gone.
    processes.signal(init, "SIGKILL");
    while (processes.isAlive(init)) await sleep(10);
  }
}

/**
 * Ends what is left of closed loopback connections, where iproute2's `ss` is there and the kernel lets it. TIME_WAIT is against packets that
 * come late from a network; on loopback there are none.
 */
async function forgetLoopback(): Promise<void> {
  const words = ["-K", "-t", "state", "time-wait", "src", "127.0.0.0/8", "dst", "127.0.0.0/8"];
  await execa("ss", words, { reject: false, stdin: "ignore", stdout: "ignore", stderr: "ignore", timeout: 5000 });
}

/** What the init could not write in the run's folder says nothing of the job or its point. Fault: `vault-full`. */
function requireRoom(said: string, runFolder: string): void {
  if (/^cannot write .*: (No space left on device|Disk quota exceeded)$/.test(said))
    throw Fault.of("vault-full", { place: runFolder });
}

/** The kernel's TIME_WAIT is 60 s, and not a setting. */
const portWaitMilliseconds = 65_000;

/** The kernel's PID_MAX_LIMIT. Points of version 0.1 may say of a zombie's thread what no pid can be. */
const largestPid = 2 ** 22 - 1;

type Started = { readonly exitCode: number; readonly said: string };

async function start(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Started> {
  const [file = "", ...rest] = words;
  const done = await execa(file, rest, {
    env,
    extendEnv: false,
    detached: true,
    cleanup: false,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    reject: false,
    cwd: "/",
  });
  const said = (done.stderr || (done.failed ? (done.shortMessage ?? "") : "")).trim();
  return { exitCode: done.exitCode ?? 1, said: said.split("\n").at(-1) ?? "" };
}

async function ending(runFolder: string): Promise<Ending | null> {
  const text = await readFile(path.join(runFolder, "exit"), "utf8").catch(() => "");
  const [, how, number] = /^(exited|signaled) (\d+)$/m.exec(text) ?? [];
  if (how === undefined) return null;
  return how === "exited" ? { type: "exited", status: Number(number) } : { type: "signaled", signal: Number(number) };
}

async function endedAt(runFolder: string): Promise<number | null> {
  const found = await stat(path.join(runFolder, "exit")).catch(() => null);
  return found && Math.round(found.mtimeMs);
}

/** The host's number of the process that its own namespace calls `vpid`: among init's children and below. */
async function hostPid(initPid: number, vpid: number): Promise<number | null> {
  const children = await readFile(`/proc/${initPid}/task/${initPid}/children`, "utf8").catch(() => "");
  for (const pid of children.trim().split(/\s+/).filter(Boolean).map(Number)) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    if (Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1]) === vpid) return pid;
  }
  return null;
}

async function isInitOf(pid: number, runFolder: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  return words.includes(runFolder);
}

/**
 * Where CRIU's own pids begin, clear of every pid in the images. Jobs started here have pids from 300 on, also after the
 * counter wrapped (the kernel's RESERVED_PIDS), so the low ones are always free when the high ones are not.
 */
async function freePids(highestPid: number): Promise<number> {
  const pidMax = Number(await readFile("/proc/sys/kernel/pid_max", "utf8"));
  return highestPid + 2000 < pidMax ? highestPid + 1000 : 1;
}

async function readNumber(file: string): Promise<number | null> {
  const text = await readFile(file, "utf8").catch(() => "");
  return /^\d+\s*$/.test(text) ? Number(text) : null;
}

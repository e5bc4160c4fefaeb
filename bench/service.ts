import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { compose, type Engine } from "../src/compose.ts";
import type { Job } from "../src/domain/job.ts";
import { parseJobName } from "../src/domain/name.ts";
import { start } from "../src/engine/start.ts";
import { readSettings } from "../src/settings/read.ts";

/**
 * What the service itself costs: the real `holdfast serve` over a vault of its own with two hundred real, tiny, guarded jobs. First idle, no job
 * due; then all of them due once within one minute, spread evenly; then idle again. Memory is the kernel's (`smaps_rollup`), CPU time too
 * (`/proc/PID/stat`, all threads, dead ones included). A tick's lateness is the time stamp of the service's own debug line `due`
 * less the moment that stands in the catalogue. `node bench/service.ts [--quick] [--jobs N] [--json FILE]`, as root. Asserts nothing.
 */
const { values: flags } = parseArgs({
  options: { quick: { type: "boolean" }, jobs: { type: "string", default: "200" }, json: { type: "string" } },
});
const count = Number(flags.jobs);
const idleSeconds = flags.quick ? 30 : 120;
const dueMilliseconds = flags.quick ? 20_000 : 60_000;

const root = await mkdtemp("/var/tmp/holdfast-bench-service-");
const env = {
  HOLDFAST_VAULT: path.join(root, "vault"),
  HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite"),
  HOLDFAST_SERVICE_LOG_LEVEL: "debug",
  HOLDFAST_SERVICE_LAST_TAKES: "never",
};
const started: number[] = [];
const results: Record<string, number | string> = {};
let service: ChildProcess | undefined;
try {
  say(`starting ${count} jobs`);
  await withEngine(async (engine) => {
    for (let at = 0; at < count; at++) started.push((await start(engine.ports, jobNamed(`job-${at}`))).init?.pid ?? 0);
  });
  const lines: Line[] = [];
  service = serve(lines);
  const pid = service.pid ?? 0;
  await until("a service that runs", () => lines.some((line) => line.event === "service-started"));
  await wait(20_000);
  Object.assign(results, named("idle", await idle(pid, idleSeconds)));
  Object.assign(results, await dueMinute(pid, lines));
  await wait(20_000);
  Object.assign(results, named("after", await idle(pid, idleSeconds)));
} finally {
  if (service?.exitCode === null) {
    service.kill("SIGTERM");
    await once(service, "exit");
  }
  for (const pid of started) if (pid > 0) process.kill(pid, "SIGKILL");
  await wait(1000);
  await rm(root, { recursive: true, force: true });
}
const cpu = os.cpus();
const where = { date: new Date().toISOString(), kernel: os.release(), cpus: `${cpu.length} x ${cpu[0]?.model ?? ""}`, jobs: count };
const report = JSON.stringify({ ...where, load: os.loadavg(), results });
process.stdout.write(
  `| what | measured |\n|---|---|\n${Object.entries(results)
    .map(([what, figure]) => `| ${what} | ${figure} |`)
    .join("\n")}\n\n${report}\n`,
);
if (flags.json !== undefined) await writeFile(flags.json, `${report}\n`);

type Line = { readonly time: string; readonly event?: string; readonly job?: string; readonly due?: number };

function jobNamed(name: string): Job {
  return {
    name: parseJobName(name),
    createdAt: Date.now(),
    origin: "launched",
    intent: "run",
    command: ["/bin/sleep", "1000000"],
    cwd: "/",
    // As `holdfast run` does, which keeps the caller's whole environment.
    env: Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined)),
    user: null,
    limits: {},
    output: path.join(root, `${name}.out`),
    error: path.join(root, `${name}.out`),
    // So long that it falls due only when this program says so.
    schedule: { type: "every", milliseconds: 400 * 86_400_000 },
    keep: "last=6",
    maxChain: 24,
    dedup: "exact",
    preDump: "auto",
    onCrash: "ask",
    exposureLimit: 1200 * 86_400_000,
    files: { include: [], exclude: [], limitBytes: 2 ** 30 },
  };
}

async function withEngine(act: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await compose(readSettings({ file: null, env, flags: {} }));
  try {
    await act(engine);
  } finally {
    await engine.close();
  }
}

function serve(lines: Line[]): ChildProcess {
  const launcher = path.join(import.meta.dirname, "../bin/holdfast");
  const child = spawn(launcher, ["serve"], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let rest = "";
  child.stdout.on("data", (part: Buffer) => {
    const parts = (rest + part.toString()).split("\n");
    rest = parts.pop() ?? "";
    for (const one of parts) lines.push(JSON.parse(one) as Line);
  });
  return child;
}

type Idle = { readonly "resident MiB": number; readonly "private MiB": number; readonly "CPU, % of a core": number };

async function idle(pid: number, seconds: number): Promise<Idle> {
  say(`idle for ${seconds} s`);
  const [before, began] = [await cpuSeconds(pid), process.hrtime.bigint()];
  await wait(seconds * 1000);
  const spent = (await cpuSeconds(pid)) - before;
  const passed = Number(process.hrtime.bigint() - began) / 1e9;
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const mebibytes = (name: string): number =>
    [...rollup.matchAll(new RegExp(`^${name}:\\s+(\\d+) kB$`, "gm"))].reduce((sum, [, kB]) => sum + Number(kB), 0) / 1024;
  return {
    "resident MiB": round(mebibytes("Rss"), 1),
    "private MiB": round(mebibytes("Private_(?:Clean|Dirty)"), 1),
    "CPU, % of a core": round((100 * spent) / passed, 3),
  };
}

async function dueMinute(pid: number, lines: Line[]): Promise<Record<string, number>> {
  const dues = new Map<string, number>();
  const first = Date.now() + 5000;
  await withEngine(async ({ ports }) => {
    for (let at = 0; at < count; at++) {
      const [job, due] = [parseJobName(`job-${at}`), Math.round(first + (at * dueMilliseconds) / count)];
      await ports.catalogue.putDue({ job, due, lastAttemptAt: null });
      dues.set(job, due);
    }
  });
  say(`${count} jobs fall due within ${dueMilliseconds / 1000} s`);
  const before = await cpuSeconds(pid);
  const acted = (): readonly Line[] => lines.filter((line) => line.event === "due");
  const done = (): number => lines.filter((line) => line.event === "took" || line.event === "take-failed").length;
  await until("all jobs seen due", () => acted().length >= count);
  await until("all takes done", () => done() >= count);
  const finished = Math.max(...lines.filter((line) => line.event === "took").map((line) => Date.parse(line.time)));
  const late = acted().map((line) => Date.parse(line.time) - (dues.get(line.job ?? "") ?? 0));
  const sorted = late.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    "tick late, ms, median": at(0.5),
    "tick late, ms, of 95 %": at(0.95),
    "tick late, ms, worst": at(1),
    "takes made": lines.filter((line) => line.event === "took").length,
    "takes failed": lines.filter((line) => line.event === "take-failed").length,
    "last take done after the last due, s": round((finished - Math.max(...dues.values())) / 1000, 1),
    "CPU seconds for each take (service and its threads)": round(((await cpuSeconds(pid)) - before) / count, 3),
  };
}

/** Fields 14 and 15 of `/proc/PID/stat`, in ticks of 10 ms: all threads that are and were. */
async function cpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 6000; tries++) {
    if (holds()) return;
    await wait(100);
  }
  throw new Error(`after ten minutes there is still not ${what}`);
}

function named(when: string, figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([what, figure]) => [`${when}: ${what}`, figure]));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function say(text: string): void {
  process.stderr.write(`${text} ...\n`);
}

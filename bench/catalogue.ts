import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { compose, type Engine } from "../src/compose.ts";
import type { Generation } from "../src/domain/generation.ts";
import type { Job } from "../src/domain/job.ts";
import { parseJobName } from "../src/domain/name.ts";
import { readSettings } from "../src/settings/read.ts";

/**
 * How long the commands that read take over a catalogue of a million generations: a hundred jobs of ten thousand each. All ten thousand of `job-0` are restore points
 * with their directories in the vault; of every other job the newest sixty are (what the usual policy keeps), and the rest has expired, as in a vault
 * that is years old. Each job has a thousand attempts, and runs. The commands are processes of their own through `bin/holdfast`, output to a pipe: wall time, Node's
 * start and all; beside them what the same takes over an empty catalogue. `node bench/catalogue.ts [--quick] [--jobs N] [--generations N] [--json FILE]`,
 * as root. Asserts nothing.
 */
const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean" },
    jobs: { type: "string", default: "100" },
    generations: { type: "string", default: "10000" },
    json: { type: "string" },
  },
});
const [jobCount, perJob, rounds] = [Number(flags.jobs), Number(flags.generations), flags.quick ? 5 : 15];
const tenMinutes = 600_000;
const now = Date.now();

const root = mkdtempSync("/var/tmp/holdfast-bench-catalogue-");
const place = (name: string) => ({ HOLDFAST_VAULT: path.join(root, name), HOLDFAST_CATALOGUE: path.join(root, `${name}.sqlite`) });
const [full, empty] = [place("full"), place("empty")];
const rows: Measured[] = [];
let size = 0;
try {
  process.stderr.write(`filling a catalogue with ${jobCount * perJob} generations ...\n`);
  await withEngine(empty, async () => undefined);
  await withEngine(full, fill);
  fillAttempts(full.HOLDFAST_CATALOGUE);
  size = statSync(full.HOLDFAST_CATALOGUE).size;
  const launcher = path.join(import.meta.dirname, "../bin/holdfast");
  rows.push(measure("node alone, `node -e 0`", [process.execPath, "-e", "0"], {}));
  rows.push(measure("`status`, an empty catalogue", [launcher, "status"], empty));
  for (const words of [
    ["status"],
    ["status", "--json"],
    ["status", "job-0"],
    ["points", "job-0"],
    ["points", "job-0", "--json"],
    ["points", "job-1"],
  ])
    rows.push(measure(`\`${words.join(" ")}\``, [launcher, ...words], full));
  for (const words of [
    ["expire", "job-0", "--dry-run"],
    ["expire", "job-1", "--dry-run"],
  ])
    rows.push(measure(`\`${words.join(" ")}\``, [launcher, ...words], full));
} finally {
  rmSync(root, { recursive: true, force: true });
}
const head = "| command | wall, ms, median | least | CPU, ms | output, KiB |\n|---|---|---|---|---|";
const lines = rows.map((row) => `| ${row.what} | ${row.median} | ${row.least} | ${row.cpu} | ${row.kibibytes} |`);
const cpu = os.cpus();
const where = {
  date: new Date().toISOString(),
  kernel: os.release(),
  cpus: `${cpu.length} x ${cpu[0]?.model ?? ""}`,
  load: os.loadavg(),
};
const report = JSON.stringify({ ...where, generations: jobCount * perJob, catalogueBytes: size, rounds, rows });
process.stdout.write(`${[head, ...lines].join("\n")}\n\n${report}\n`);
if (flags.json !== undefined) writeFileSync(flags.json, `${report}\n`);

type Measured = {
  readonly what: string;
  readonly median: number;
  readonly least: number;
  readonly cpu: number;
  readonly kibibytes: number;
};

function measure(what: string, [program = "", ...words]: readonly string[], env: Readonly<Record<string, string>>): Measured {
  const walls: number[] = [];
  let bytes = 0;
  const run = (): void => {
    const began = process.hrtime.bigint();
    const done = spawnSync(program, words, { env: { ...process.env, ...env }, maxBuffer: 2 ** 28 });
    walls.push(Number(process.hrtime.bigint() - began) / 1e6);
    // 3 and 13 say that a job is in danger; anything else was not measured but failed.
    if (![0, 3, 13].includes(done.status ?? -1)) throw new Error(`${what} ended with ${done.status}\n${done.stderr.toString()}`);
    bytes = done.stdout.length;
  };
  // The first one fills caches, Node's of compiled code among them.
  run();
  walls.length = 0;
  const before = childrenCpu();
  for (let round = 0; round < rounds; round++) run();
  const sorted = walls.toSorted((a, b) => a - b);
  return {
    what,
    median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0),
    least: Math.round(sorted[0] ?? 0),
    cpu: Math.round((childrenCpu() - before) / rounds),
    kibibytes: Math.round(bytes / 1024),
  };
}

/** Milliseconds of CPU of all children that have ended, from fields 16 and 17 of `/proc/self/stat`. */
function childrenCpu(): number {
  const text = readFileSync("/proc/self/stat", "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

async function withEngine(env: Readonly<Record<string, string>>, act: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await compose(readSettings({ file: null, env, flags: {} }));
  try {
    await act(engine);
  } finally {
    await engine.close();
  }
}

async function fill({ ports }: Engine): Promise<void> {
  const self = ports.processes.self();
  const jobs = Array.from({ length: jobCount }, (_, at) => jobNamed(`job-${at}`));
  const run = {
    number: 1,
    timeline: 1,
    startedAt: now - (perJob + 1) * tenMinutes,
    from: null,
    init: self,
    root: self,
    rootVpid: 2,
    endedAt: null,
    ending: null,
  };
  for (const job of jobs) await ports.vault.writeJob(job);
  const generations = jobs.flatMap((job, at) => Array.from({ length: perJob }, (_, each) => generationOf(job, each + 1, at === 0)));
  await ports.catalogue.replaceAll({ jobs, runs: jobs.map((job) => ({ job: job.name, run })), generations });
  for (const { job, number, state } of generations) {
    if (state !== "sealed") continue;
    const folder = ports.vault.generationFolder(job, number);
    mkdirSync(folder, { recursive: true });
    // That it is there is the seal; what it says is read by none of these commands.
    writeFileSync(path.join(folder, "holdfast.json"), "");
  }
}

function generationOf(job: Job, number: number, isPoint: boolean): Generation {
  const sealed = isPoint || number > perJob - 60;
  // The oldest that is left is a base; chains are as long as the settings let them grow.
  const isBase = (number - 1) % 24 === 0 || (!isPoint && number === perJob - 59);
  return {
    job: job.name,
    number,
    id: number.toString(16).padStart(32, "0"),
    timeline: 1,
    run: 1,
    kind: isBase ? "base" : "increment",
    parent: isBase ? null : number - 1,
    takenAt: now - (perJob - number) * tenMinutes - 60_000,
    state: sealed ? "sealed" : "expired",
    reason: sealed ? "the increment before was good" : "no rule of the policy wants it",
    tracking: "soft-dirty",
    bytes: 1_000_000 + number,
    freezeMicros: 40_000,
    pages: { scanned: 10_000, written: 500, skipped: 9_500, kept: 400 },
    provenAt: null,
    provenMilliseconds: null,
    held: false,
  };
}

function fillAttempts(file: string): void {
  const database = new Database(file);
  const put = database.prepare("insert into attempts (job, at, outcome, point, code, message) values (?, ?, ?, ?, null, ?)");
  database.transaction(() => {
    for (let job = 0; job < jobCount; job++)
      for (let at = 0; at < 1000; at++) {
        const isMissed = at % 50 === 0;
        put.run(
          `job-${job}`,
          now - at * tenMinutes,
          isMissed ? "missed" : "took",
          isMissed ? null : perJob - at,
          isMissed ? "the one before was still being taken" : "",
        );
      }
  })();
  database.pragma("wal_checkpoint(truncate)");
  database.close();
}

function jobNamed(name: string): Job {
  return {
    name: parseJobName(name),
    createdAt: now - (perJob + 2) * tenMinutes,
    origin: "launched",
    intent: "run",
    command: ["/usr/bin/lmp", "-in", "in.lj"],
    cwd: "/home/someone/run",
    env: Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined)),
    user: null,
    limits: {},
    output: "/home/someone/run/out",
    error: "/home/someone/run/out",
    schedule: { type: "every", milliseconds: tenMinutes },
    keep: "last=6, within=2h, hourly=24, daily=7, weekly=4, monthly=3",
    maxChain: 24,
    dedup: "exact",
    preDump: "auto",
    onCrash: "restore",
    exposureLimit: 3 * tenMinutes,
    files: { include: [], exclude: [], limitBytes: 2 ** 30 },
  };
}

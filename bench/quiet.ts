import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { compose, type Engine } from "../src/compose.ts";
import type { Job, JobName } from "../src/domain/job.ts";
import { parseJobName } from "../src/domain/name.ts";
import { start } from "../src/engine/start.ts";
import { stop } from "../src/engine/stop.ts";
import { take } from "../src/engine/take.ts";
import { readKernelFile } from "../src/host/proc/kernel-file.ts";
import { processesUnder } from "../src/host/proc/tree.ts";
import { readSettings } from "../src/settings/read.ts";
import { buildPrograms } from "../test/platform/build-programs.ts";

/**
 * Is it worth to wait, within a slack, for a moment at which a dump is small? Each program is guarded once; its takes fall due at random moments, by turns taken
 * at once and at the quiet moment (`decideQuiet`), so that both meet the same machine. What a dump would write is told by RssAnon and RssShmem of the tree,
 * looked at four times a second. It was not worth it (`docs/measurements.md`), so Holdfast does not do this, and the decision lives here alone. `node bench/quiet.ts [--quick] [--json FILE] [PROGRAM ...]`, as root. Asserts nothing.
 */
const { values: flags, positionals } = parseArgs({
  options: { quick: { type: "boolean" }, json: { type: "string" } },
  allowPositionals: true,
});
const slack = 8_000;
const pairs = flags.quick ? 4 : 12;
const between = 250;
/** A dump smaller by less than this is not worth a wait. */
const worthwhile = 0.8;
/** So near to the least that was seen counts as that. */
const nearLeast = 1.1;

const built = await buildPrograms();
const python = (text: string) => ["/usr/bin/python3", "-c", text];
const programs: Readonly<Record<string, readonly string[]>> = {
  // 32 MiB for good, 256 MiB more for three seconds of six.
  phases: python(
    "import time\nown=bytearray(b'x')*(1<<25)\nwhile True:\n  more=bytearray(b'y')*(1<<28)\n  time.sleep(3)\n  del more\n  time.sleep(3)\n",
  ),
  // A spectral solver as people write it: temporaries of the field's size come and go in each step.
  spectral: python(
    "import numpy as np\nx=np.random.rand(1500,1500)\nwhile True:\n  y=np.fft.fft2(x)\n  y*=0.999\n  x=np.fft.ifft2(y).real.copy()\n  del y\n",
  ),
  fields: ["/usr/bin/python3", `${built}/fields.py`, "1000000", "10000"],
  lammps: [
    ...["lmp", "-in", `${built}/melt.in`, "-var", "steps", "1000000"],
    ...["-var", "micros", "100000", "-var", "programs", built],
  ],
};

const results: Record<string, Row> = {};
for (const [name, command] of Object.entries(programs)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stderr.write(`${name} ...\n`);
  results[name] = await measure(name, command);
  process.stderr.write(`${table({ [name]: results[name] })}\n`);
}
process.stdout.write(`${table(results)}\n`);
if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(results, null, 2)}\n`);

type Taken = {
  readonly freeze: number;
  readonly seconds: number;
  readonly bytes: number;
  /** From the decision to the freeze. */
  readonly late: number;
  readonly waited: number;
};
type Row = {
  readonly atOnce: readonly Taken[];
  readonly quiet: readonly Taken[];
  /** For each turn the least that a dump would have had to write within the slack, against the mean. */
  readonly leasts: readonly number[];
};

async function measure(name: string, command: readonly string[]): Promise<Row> {
  const root = await mkdtemp("/var/tmp/holdfast-bench-quiet-");
  const env = { HOLDFAST_VAULT: path.join(root, "vault"), HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite") };
  await mkdir(path.join(root, "work"));
  const engine = await compose(readSettings({ file: null, env, flags: {} }));
  const job = jobOf(name, command, root);
  const row = { atOnce: [] as Taken[], quiet: [] as Taken[], leasts: [] as number[] };
  try {
    const run = await start(engine.ports, job);
    await wait(3000);
    // The base, so that all that are compared are increments.
    await taken(engine, job.name);
    for (let turn = 0; turn < 2 * pairs; turn++) {
      await wait(Math.random() * 7000);
      const samples = await look(run.root.pid, slack);
      const bytes = samples.map((one) => one.bytes);
      row.leasts.push((Math.min(...bytes) * bytes.length) / bytes.reduce((sum, one) => sum + one, 0));
      const waited = turn % 2 === 0 ? 0 : await quietMoment(run.root.pid, samples);
      (turn % 2 === 0 ? row.atOnce : row.quiet).push({ ...(await taken(engine, job.name)), waited });
    }
    await stop(engine.ports, job.name, { last: "no-take", how: "kill" });
  } finally {
    await engine.close();
    await rm(root, { recursive: true, force: true });
  }
  return row;
}

async function taken(engine: Engine, name: JobName): Promise<Omit<Taken, "waited">> {
  const decided = Date.now();
  const { generation, milliseconds } = await take(engine.ports, name);
  const freeze = generation.freezeMicros / 1000;
  // `takenAt` is told by the hook, at the end of the freeze.
  return { freeze, seconds: milliseconds / 1000, bytes: generation.bytes, late: (generation.takenAt - decided - freeze) / 1000 };
}

async function look(pid: number, milliseconds: number): Promise<readonly QuietSample[]> {
  const samples: QuietSample[] = [];
  for (const until = performance.now() + milliseconds; performance.now() < until; await wait(between)) samples.push(sample(pid));
  return samples;
}

async function quietMoment(pid: number, before: readonly QuietSample[]): Promise<number> {
  const due = performance.now();
  while (decideQuiet(before, sample(pid), due + slack).type === "wait") await wait(between);
  return (performance.now() - due) / 1000;
}

function sample(pid: number): QuietSample {
  const bytes = processesUnder(pid).reduce((sum, one) => {
    const status = readKernelFile(`/proc/${one.pid}/status`) ?? "";
    const of = (key: string) => 1024 * Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
    return sum + of("RssAnon") + of("RssShmem");
  }, 0);
  return { at: performance.now(), bytes };
}

function jobOf(name: string, command: readonly string[], root: string): Job {
  const output = path.join(root, "output");
  const cwd = path.join(root, "work");
  return {
    ...{
      name: parseJobName(name),
      createdAt: Date.now(),
      origin: "launched",
      command,
      cwd,
      env: { PATH: process.env["PATH"] ?? "" },
    },
    ...{ user: null, limits: {}, output, error: output, schedule: null, keep: "all", maxChain: 24, dedup: "exact", preDump: "off" },
    ...{ onCrash: "ask", exposureLimit: null, files: { include: [], exclude: [], limitBytes: 2 ** 30 }, intent: "run" },
  };
}

function table(rows: Readonly<Record<string, Row>>): string {
  const line = (name: string, { atOnce, quiet, leasts }: Row): string => {
    const least = (leasts.reduce((sum, one) => sum + one, 0) / leasts.length).toFixed(2);
    const mean = (of: readonly Taken[], what: (one: Taken) => number) => of.reduce((sum, one) => sum + what(one), 0) / of.length;
    const cells = (what: (one: Taken) => number, digits: number) => [atOnce, quiet].map((one) => mean(one, what).toFixed(digits));
    const ratio = mean(quiet, (one) => one.freeze) / mean(atOnce, (one) => one.freeze);
    const [freezes, seconds, sizes] = [
      cells((one) => one.freeze, 0),
      cells((one) => one.seconds, 2),
      cells((one) => one.bytes / 2 ** 20, 1),
    ];
    const waited = mean(quiet, (one) => one.waited).toFixed(1);
    const late = mean([...atOnce, ...quiet], (one) => one.late).toFixed(2);
    return `| ${[name, least, freezes.join(" / "), ratio.toFixed(2), seconds.join(" / "), sizes.join(" / "), waited, late].join(" | ")} |`;
  };
  return [
    "| program | least to write within the slack, of the mean | freeze, ms: at once / quiet (mean) | ratio | seconds a take | MiB a generation | waited, s | from the decision to the freeze, s |",
    "|---|---|---|---|---|---|---|---|",
    ...Object.entries(rows).map(([name, row]) => line(name, row)),
  ].join("\n");
}

/** What a dump would have to write at one moment, as far as a quick look tells; bytes. */
type QuietSample = { readonly at: number; readonly bytes: number };

type QuietDecision = { readonly type: "wait" } | { readonly type: "take"; readonly why: string };

/**
 * Is now the moment for a take that is due? `before`: what was seen in the time before it fell due, as long as the slack. A job whose memory
 * did not change by a fifth in that time is taken at once: there is nothing to wait for. Else it is taken when its memory is about the least
 * that was seen then, and at `until` in any case.
 */
function decideQuiet(before: readonly QuietSample[], now: QuietSample, until: number): QuietDecision {
  if (now.at >= until) return { type: "take", why: "the slack is over" };
  const least = Math.min(...before.map((one) => one.bytes));
  if (before.length === 0 || least >= worthwhile * Math.max(now.bytes, ...before.map((one) => one.bytes)))
    return { type: "take", why: "its memory is as much at any moment" };
  return now.bytes <= nearLeast * least ? { type: "take", why: "its memory is as little as it gets" } : { type: "wait" };
}

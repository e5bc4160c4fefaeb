import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openLab } from "../test/lab/lab.ts";
import { prepareLab } from "../test/lab/setup.ts";
import { succeed } from "../test/platform/child.ts";
import { openWorld } from "../test/platform/world.ts";
import { hostPlace } from "./freeze/host.ts";
import { labPlace } from "./freeze/lab.ts";
import type { Freeze, Place, Size } from "./freeze/place.ts";

/**
 * The freeze of a generation against the plain loop's: a job (`test/lab/programs/dirty.c`) that writes 1 %, 10 % and 50 % of its memory between one
 * generation and the next, also while they are made. On this machine, or with `--lab` in the lab machine, whose kernel has soft-dirty. Prints a
 * table and, with `--json FILE`, writes every single freeze. Asserts nothing.
 *
 * `node bench/freeze.ts [--lab] [--quick] [--count N] [--mebibytes N] [--seconds N] [--percent 1,10,50] [--options="--pre-dump splice"] [--json FILE]`, as root.
 */
const { values: flags } = parseArgs({
  options: {
    lab: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    count: { type: "string" },
    mebibytes: { type: "string" },
    seconds: { type: "string" },
    percent: { type: "string", default: "1,10,50" },
    /** For `holdfast run` in the lab: `--pre-dump splice`. */
    options: { type: "string", default: "" },
    json: { type: "string" },
  },
});
const count = Number(flags.count ?? (flags.quick ? 3 : 6));
const size: Size = {
  mebibytes: Number(flags.mebibytes ?? (flags.quick ? 128 : 512)),
  seconds: Number(flags.seconds ?? (flags.lab ? 20 : 5)),
};
const percents = flags.percent.split(",").map(Number);

type Row = { readonly percent: number; readonly plain: readonly Freeze[]; readonly ours: readonly Freeze[] };

const { place, rows } = flags.lab ? await inTheLab() : await onThisMachine();
process.stdout.write(`${table(place, rows)}\n`);
const machine = { kernel: os.release(), cores: os.cpus().length, load: os.loadavg() };
if (flags.json !== undefined)
  await writeFile(
    flags.json,
    `${JSON.stringify({ where: place.name, peer: place.peer, ...size, count, machine, rows }, null, 1)}\n`,
  );

type Measured = { readonly place: Place; readonly rows: readonly Row[] };

async function onThisMachine(): Promise<Measured> {
  const folder = await mkdtemp("/var/tmp/holdfast-bench-freeze-");
  const world = await openWorld();
  try {
    const [program, source] = [path.join(folder, "dirty"), path.join(import.meta.dirname, "../test/lab/programs/dirty.c")];
    await succeed(["cc", "-std=gnu17", "-O2", "-I", path.join(import.meta.dirname, "../test/programs"), "-o", program, source]);
    return await measure(hostPlace(world, program, size));
  } finally {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function inTheLab(): Promise<Measured> {
  const images = await prepareLab();
  if (!images.ready) throw new Error(`there is no lab: ${images.why}`);
  const lab = await openLab(images);
  try {
    await lab.boot();
    return await measure(labPlace(lab, size, flags.options));
  } catch (error) {
    process.stderr.write(`the lab's console: ${await lab.keepConsole("freeze")}\n`);
    throw error;
  } finally {
    await lab.close();
  }
}

async function measure(on: Place): Promise<Measured> {
  const found: Row[] = [];
  for (const percent of percents) {
    const plain = await on.start(percent);
    const theirs = await generations(
      () => plain.dump(),
      () => plain.end(),
    );
    const guarded = await on.guard(percent);
    const ours = await generations(
      () => guarded.take(),
      () => guarded.end(),
    );
    found.push({ percent, plain: theirs, ours });
    process.stderr.write(`${JSON.stringify(found.at(-1))}\n`);
  }
  return { place: on, rows: found };
}

/** So many one after the other, each when the job has written its share since the one before; the first, a base, is not counted. */
async function generations(make: () => Promise<Freeze>, end: () => Promise<void>): Promise<readonly Freeze[]> {
  const all: Freeze[] = [];
  try {
    for (let n = 0; n <= count; n++) {
      all.push(await make());
      await wait(size.seconds * 1000);
    }
    return all.slice(1);
  } finally {
    await end();
  }
}

function table({ name, peer }: Place, all: readonly Row[]): string {
  const lines = all.map(({ percent, plain, ours }) => {
    const [theirs, mine, rounds] = [
      plain.map(({ dump }) => dump),
      ours.map(({ dump }) => dump),
      ours.flatMap(({ before }) => before),
    ];
    const longest = rounds.length === 0 ? "none" : `${rounds.length / ours.length} of ${milliseconds(rounds)}`;
    return `| ${percent} % | ${milliseconds(theirs)} | ${milliseconds(mine)} | ${longest} | ${(median(mine) / median(theirs)).toFixed(2)} |`;
  });
  return [
    `A job of ${size.mebibytes} MiB, ${count} generations ${size.seconds} s apart, ${name}; the plain loop: ${peer}.`,
    "",
    "| written between two | freeze, plain loop | freeze, Holdfast | pre-dumps before it, each freeze | against the plain loop |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

function milliseconds(values: readonly number[]): string {
  return `${median(values).toFixed(0)} ms (${Math.max(...values).toFixed(0)})`;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

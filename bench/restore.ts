import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Manifest } from "../src/domain/manifest.ts";
import { openCriu } from "../src/criu/criu.ts";
import { succeed } from "../test/platform/child.ts";
import { kill, openWorld, type World } from "../test/platform/world.ts";

/**
 * Seconds from the command to the running job, against `criu restore` of a flattened copy of the same point: a job of so many MiB
 * (`test/lab/programs/dirty.c`), the newest, a middle and the oldest point of one chain, with a warm page cache and with a cold one, both by turns.
 * Prints a table and, with `--json FILE`, writes every single time. Asserts nothing.
 *
 * `node bench/restore.ts [--quick] [--count GENERATIONS] [--mebibytes N] [--rounds N] [--json FILE]`, as root.
 */
const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    count: { type: "string" },
    mebibytes: { type: "string" },
    rounds: { type: "string" },
    json: { type: "string" },
  },
});
const count = Number(flags.count ?? (flags.quick ? 6 : 24));
const mebibytes = Number(flags.mebibytes ?? (flags.quick ? 128 : 512));
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 5));

type Row = {
  readonly point: number;
  readonly cache: "warm" | "cold";
  /** Seconds. */
  readonly ours: readonly number[];
  readonly plain: readonly number[];
};

const name = "dirty";
const criu = openCriu({
  setting: "auto",
  cacheRoot: "/var/cache/holdfast",
  searchPath: process.env["PATH"] ?? "",
  hook: async () => "",
  lockFolder: "",
  socketFolders: [],
});
const folder = await mkdtemp("/var/tmp/holdfast-bench-restore-");
const world = await openWorld();
try {
  const rows = await measure(world);
  process.stdout.write(`${table(rows)}\n`);
  const machine = { kernel: os.release(), cores: os.cpus().length, load: os.loadavg() };
  if (flags.json !== undefined)
    await writeFile(flags.json, `${JSON.stringify({ count, mebibytes, rounds, machine, rows }, null, 1)}\n`);
} finally {
  await world.close();
  await rm(folder, { recursive: true, force: true });
}

async function measure(on: World): Promise<readonly Row[]> {
  const [program, source] = [path.join(folder, name), path.join(import.meta.dirname, "../test/lab/programs/dirty.c")];
  await succeed(["cc", "-std=gnu17", "-O2", "-I", path.join(import.meta.dirname, "../test/programs"), "-o", program, source]);
  const options = ["--name", name, "--cwd", folder, "--every", "never", "--keep", "all", "--max-chain", String(count)];
  const { initPid } = await on.json<{ initPid: number }>(["run", ...options, "--", program, String(mebibytes), "2", "2"]);
  await wait(5000);
  for (let n = 1; n <= count; n++) {
    await on.json(["take", name]);
    await wait(1000);
  }
  await kill(initPid);
  const rows: Row[] = [];
  for (const point of [count, Math.ceil(count / 2), 1]) {
    const flat = path.join(folder, `flat-${point}`);
    await on.json(["export", name, "--point", String(point), flat]);
    for (const cache of ["warm", "cold"] as const) {
      const [ours, plain]: [number[], number[]] = [[], []];
      for (let round = 0; round <= rounds; round++) {
        await ready(cache);
        ours.push(await seconds(() => bringBack(on, point)));
        await end(on);
        await ready(cache);
        plain.push(await seconds(() => byCriu(flat)));
      }
      // The first of each reads what the take left behind.
      rows.push({ point, cache, ours: ours.slice(1), plain: plain.slice(1) });
      process.stderr.write(`${JSON.stringify(rows.at(-1))}\n`);
    }
    await rm(flat, { recursive: true });
  }
  return rows;
}

async function ready(cache: Row["cache"]): Promise<void> {
  await succeed(["sync"]);
  if (cache === "cold") await writeFile("/proc/sys/vm/drop_caches", "3\n");
}

async function bringBack(on: World, point: number): Promise<void> {
  await on.json(["restore", name, "--point", String(point)]);
}

async function end(on: World): Promise<void> {
  const { jobs } = await on.json<{ jobs: readonly { readonly run: { readonly initPid: number } | null }[] }>(["status", name]);
  await kill(jobs[0]?.run?.initPid ?? 0);
}

/** CRIU is the first process of a pid namespace here, so that all it brought back goes with it. */
async function byCriu(flat: string): Promise<void> {
  const { restoreOptions } = JSON.parse(await readFile(path.join(flat, "holdfast.json"), "utf8")) as Manifest;
  const work = path.join(folder, "by-hand");
  await mkdir(work, { recursive: true });
  const inside = 'echo 30000 >/proc/sys/kernel/ns_last_pid; exec "$@"';
  const words = ["restore", "--no-default-config", "-d", "-D", flat, "-W", work, "-v2", "-o", "restore.log", ...restoreOptions];
  const { command } = await criu.probe();
  await succeed(["unshare", "-p", "-f", "--mount-proc", "sh", "-c", inside, "sh", ...command, ...words]);
}

async function seconds(act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await act();
  return (performance.now() - began) / 1000;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ point, cache, ours, plain }) =>
      `| ${point} of ${count} | ${cache} | ${told(ours)} | ${told(plain)} | ${(median(ours) / median(plain)).toFixed(2)} |`,
  );
  return [
    `A job of ${mebibytes} MiB, a chain of ${count}, ${rounds} rounds by turns; seconds, median (worst).`,
    "",
    "| point | page cache | `holdfast restore` | `criu restore`, flattened | ratio |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

function told(values: readonly number[]): string {
  return `${median(values).toFixed(2)} (${Math.max(...values).toFixed(2)})`;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

import { readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { buildPrograms } from "../test/platform/build-programs.ts";
import { guard, pointsOf, reboot } from "../test/platform/guard.ts";
import { goFast } from "../test/platform/outputs.ts";
import { type Proof, proofs } from "../test/platform/proof-programs.ts";
import { gone, kill, openWorld, type Point, type RestoreDocument, type TakeDocument } from "../test/platform/world.ts";

/**
 * Measures each program of the proof through the command line: ten generations, then the newest point restored. Prints a table and
 * writes it into docs/measurements.md between its marks. `node bench/measure.ts [PROGRAM ...]`, as root, on an idle machine.
 */
const file = path.join(import.meta.dirname, "../docs/measurements.md");
const marks = ["<!-- measured: begin -->", "<!-- measured: end -->"] as const;
const COUNT = 10;

const programs = await buildPrograms();
const wanted = process.argv.slice(2);
const rows: string[] = [];
for (const proof of Object.values<Proof>(proofs)) {
  if (wanted.length > 0 && !wanted.includes(proof.name)) continue;
  process.stderr.write(`${proof.name} ...\n`);
  rows.push(
    await measure(proof).catch((error: unknown) => `| ${proof.name} | could not be measured: ${String(error).split("\n")[0]} |`),
  );
}
const table = [
  "| program | base | increment, median | freeze, median (worst) | seconds per generation, median (worst) | restore, seconds |",
  "|---|---|---|---|---|---|",
  ...rows,
].join("\n");
process.stdout.write(`${table}\n`);
if (wanted.length === 0) await keep(table);

async function measure(proof: Proof): Promise<string> {
  const unique = `holdfast-bench-${proof.name}-${process.pid}`;
  const world = await openWorld(proof.place);
  try {
    const { started, takes } = await guard(world, proof, programs, unique, COUNT);
    const points = await pointsOf(world, proof.name);
    await kill(started.initPid);
    await reboot(proof, unique);
    const restored = await world.json<RestoreDocument>(["restore", proof.name]);
    await goFast(world.cwd);
    await gone(restored.pid);
    return line(proof, points, takes, restored);
  } finally {
    await world.close();
    await reboot(proof, unique);
  }
}

function line(proof: Proof, points: readonly Point[], takes: readonly TakeDocument[], restored: RestoreDocument): string {
  const [base] = points;
  const increments = points.filter((point) => point.kind === "increment").map((point) => point.bytes);
  const freezes = points.map((point) => point.freezeMicros / 1000);
  const seconds = takes.map((take) => take.milliseconds / 1000);
  const cells = [
    `${proof.name}: ${proof.law}`,
    mebibytes(base?.bytes ?? 0),
    mebibytes(median(increments)),
    `${median(freezes).toFixed(0)} ms (${Math.max(...freezes).toFixed(0)})`,
    `${median(seconds).toFixed(2)} (${Math.max(...seconds).toFixed(2)})`,
    (restored.milliseconds / 1000).toFixed(2),
  ];
  return `| ${cells.join(" | ")} |`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Writes the table between the marks; a file without them gets them at its end. */
async function keep(measured: string): Promise<void> {
  const text = await readFile(file, "utf8").catch(() => "# Measurements\n");
  const [begin, end] = marks;
  const cpu = os.cpus();
  const where = `${new Date().toISOString().slice(0, 10)}, kernel ${os.release()}, ${cpu.length} x ${cpu[0]?.model ?? "CPU"}, vault on the same disk as /var/tmp. Again with \`node bench/measure.ts\` (as root).`;
  const part = `${begin}\n\n${where}\n\n${measured}\n\n${end}`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  const whole =
    from >= 0 && to > from ? text.slice(0, from) + part + text.slice(to + end.length) : `${text.trimEnd()}\n\n${part}\n`;
  await writeFile(file, whole);
}

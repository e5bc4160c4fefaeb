import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { openLab } from "../test/lab/lab.ts";
import { prepareLab } from "../test/lab/setup.ts";
import { backups } from "./side-by-side/backups.ts";
import { exportAll } from "./side-by-side/exports.ts";
import { keepAll, underPolicy } from "./side-by-side/guarded.ts";
import { rawCriu } from "./side-by-side/raw.ts";
import { type Manner, sideBySide } from "./side-by-side/table.ts";

/**
 * Bytes on disk for the same generations of one program kept in different manners, and how many of their points come back. Runs in the lab
 * (docs/explanation/lab.md), where the kernel has soft-dirty, so it takes long: most of an hour for forty generations, as root. Prints a
 * table, and writes it into docs/measurements.md between its marks. `node bench/side-by-side.ts [COUNT]`; with COUNT it only prints.
 */
const file = path.join(import.meta.dirname, "../docs/measurements.md");
const marks = ["<!-- side-by-side: begin -->", "<!-- side-by-side: end -->"] as const;
const asked = process.argv[2];
const count = Number(asked ?? 40);
if (!Number.isInteger(count) || count < 1) throw new Error(`side-by-side takes a number of generations, not ${asked}`);

const folder = await mkdtemp("/var/tmp/holdfast-side-by-side-");
try {
  const { kernel, manners } = await inTheLab();
  manners.push(...(await backups(path.join(folder, "exports"), folder)));
  const chain = manners.find(({ name }) => name.includes("a chain"));
  const table = sideBySide(manners, chain);
  process.stdout.write(`${count} generations, kernel ${kernel}\n\n${table}\n`);
  if (asked === undefined) await keep(kernel, table);
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** All that CRIU does; the power of the machine is off afterwards, and the exports are in `folder`. */
async function inTheLab(): Promise<{ kernel: string; manners: Manner[] }> {
  const images = await prepareLab();
  if (!images.ready) throw new Error(`there is no lab: ${images.why}`);
  const lab = await openLab(images);
  try {
    await lab.boot();
    const kernel = (await lab.must("uname -r")).trim();
    const manners: Manner[] = [];
    for (const manner of [
      () => rawCriu(lab, "full", count),
      () => rawCriu(lab, "chain", count),
      () => rawCriu(lab, "dedup", count),
      () => keepAll(lab, count),
      // It steps the machine's clock, which the next start sets right.
      () => underPolicy(lab, count),
      () => exportAll(lab, count, folder),
    ]) {
      const measured = await manner();
      process.stderr.write(`${JSON.stringify(measured)}\n`);
      manners.push(measured);
    }
    return { kernel, manners };
  } catch (error) {
    process.stderr.write(`the lab's console: ${await lab.keepConsole("side-by-side")}\n`);
    throw error;
  } finally {
    await lab.close();
  }
}

/** Writes the table between the marks; a file without them gets them at its end. */
async function keep(kernel: string, table: string): Promise<void> {
  const [begin, end] = marks;
  const where = `${new Date().toISOString().slice(0, 10)}, ${count} generations, in the lab: kernel ${kernel}, ext4. Again with \`node bench/side-by-side.ts\` (as root).`;
  const part = `${begin}\n\n${where}\n\n${table}\n\n${end}`;
  const text = await readFile(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  const whole =
    from >= 0 && to > from ? text.slice(0, from) + part + text.slice(to + end.length) : `${text.trimEnd()}\n\n${part}\n`;
  await writeFile(file, whole);
}

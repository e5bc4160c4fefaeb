import path from "node:path";
import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { formatTime, isoTime } from "../../domain/time.ts";
import { importPoints, type ImportReport } from "../../engine/import-points.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { table } from "../render/table.ts";
import { type Session, subcommand } from "../session.ts";
import { guarded, guardOptions, type GuardOptions } from "./run.ts";

type Options = GuardOptions & { restoreOption?: string[] };

/** What Holdfast itself tells CRIU at a restore. */
const ours = new Set([
  "images-dir",
  "work-dir",
  "log-file",
  "pidfile",
  "restore-detached",
  "restore-sibling",
  "exec-cmd",
  "action-script",
  "auto-dedup",
]);

export function addAdopt(root: Command, session: Session): void {
  const command = subcommand(
    root,
    "adopt <dir>",
    "make a job of CRIU image directories that were made by hand",
    "holdfast adopt /scratch/ckpt --name melt --restore-option --tcp-established",
  );
  guardOptions(command)
    .option("--restore-option <word>", "what `criu restore` must be given for these images (repeatable)", collect, [])
    .action(async (dir: string, options: Options) => {
      const name = parseJobName(options.name);
      const engine = await session.engine(options, "adopt");
      const job = {
        ...guarded(options, engine.settings, engine.ports.clock.now()),
        name,
        origin: "adopted" as const,
        command: [],
        cwd: "/",
        env: {},
        user: null,
        limits: {},
        output: null,
        error: null,
      };
      const restoreOptions = (options.restoreOption ?? []).map(checkedOption);
      const report = await importPoints(engine.ports, job, { folder: path.resolve(dir), restoreOptions });
      print(options.json === true, reportJson(name, report), reportText(name, report, engine.settings.zone));
      if (report.refused.length > 0) session.exitStatus = 3;
    });
}

function reportJson(job: string, { points, refused, preDumps, cautions }: ImportReport): Record<string, unknown> {
  const each = points.map(({ name, generation: { number, kind, parent, takenAt, bytes } }) => {
    return { number, directory: name, kind, parent, time: isoTime(takenAt), bytes };
  });
  return { job, points: each, refused, preDumps, cautions };
}

function reportText(job: string, { points, refused, preDumps, cautions }: ImportReport, zone: string): string {
  const rows = points.map(({ name, generation: { number, kind, parent, takenAt, bytes } }) => {
    return [String(number), name, formatTime(takenAt, zone), kind, parent === null ? "-" : String(parent), formatSize(bytes)];
  });
  return [
    `${job}: ${points.length} points adopted; bring one back with \`holdfast restore ${job}\``,
    table(["point", "directory", "taken", "kind", "on", "size"], rows),
    "  note: the files the job writes were not captured: they must be as they were at the dump",
    ...preDumps.map((name) => `  note: ${name} is a pre-dump, and no point by itself`),
    ...cautions.map(({ name, what }) => `  note: ${name}: ${what}`),
    ...refused.map(({ name, why }) => `  refused: ${name}: ${why}`),
  ].join("\n");
}

function checkedOption(word: string): string {
  const name = /^--([a-z][a-z0-9-]*)(=.*)?$/.exec(word)?.[1];
  if (name === undefined)
    throw Fault.of("usage", { what: `--restore-option takes one word such as --tcp-established, not ${word}`, command: "adopt" });
  if (ours.has(name)) throw Fault.of("usage", { what: `--${name} is Holdfast's own to give`, command: "adopt" });
  return word;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

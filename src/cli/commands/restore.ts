import { type Command, Option } from "commander";
import { parseJobName } from "../../domain/name.ts";
import type { Target } from "../../domain/target.ts";
import { parseTime } from "../../domain/time.ts";
import { restore, type RestoreReport } from "../../engine/restore.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { isoTime } from "../../domain/time.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { at?: string; point?: string; timeline?: string; replace?: true; take?: boolean; fallback?: true };

export function addRestore(root: Command, session: Session): void {
  const command = subcommand(
    root,
    "restore <name>",
    "bring a job back, memory and files together, to its newest point or the one asked for",
    "holdfast restore lj --at '2h ago'",
  );
  withRestoreOptions(command)
    .option("--at <time>", "the newest point at or before this time: ISO, 14:05, '2h ago'")
    .option("--point <number>", "this point")
    .option("--timeline <number>", "points of this timeline only")
    .action(async (word: string, options: Options) => perform(session, word, options, "restore"));
}

export function addResume(root: Command, session: Session): void {
  const command = subcommand(root, "resume <name>", "bring a stopped job back from its newest point", "holdfast resume lj");
  withRestoreOptions(command).action(async (word: string, options: Options) => perform(session, word, options, "resume"));
}

function withRestoreOptions(command: Command): Command {
  return command
    .addOption(new Option("--replace", "if it still runs: take a last generation, stop it, go back"))
    .addOption(new Option("--no-take", "with --replace: no last generation"))
    .addOption(new Option("--fallback", "if a point does not come back, try the next older one"));
}

async function perform(session: Session, word: string, options: Options, verb: string): Promise<void> {
  const name = parseJobName(word);
  const engine = await session.engine(options, verb);
  const target = targetOf(options, engine.ports.clock.now(), engine.settings.zone);
  const running = options.replace ? (options.take === false ? "replace-without-take" : "replace") : "refuse";
  const onFailure = options.fallback ? "fall-back" : "stop";
  const report = await restore(engine.ports, name, { target, running, onFailure });
  print(options.json === true, restoreJson(report), restoreText(report));
}

export function targetOf(options: Pick<Options, "at" | "point" | "timeline">, now: number, zone: string): Target {
  if (options.at !== undefined && options.point !== undefined) {
    throw Fault.of("usage", { what: "--at and --point exclude each other", command: "restore" });
  }
  const timeline = options.timeline === undefined ? {} : { timeline: wholeNumber(options.timeline, "--timeline") };
  if (options.at !== undefined) return { type: "time", at: parseTime(options.at, now, zone), ...timeline };
  if (options.point !== undefined) return { type: "point", number: wholeNumber(options.point, "--point"), ...timeline };
  return { type: "latest", ...timeline };
}

export function wholeNumber(text: string, option: string): number {
  if (!/^#?\d{1,9}$/.test(text)) throw Fault.of("usage", { what: `${option} takes a number, not ${text}`, command: "restore" });
  return Number(text.replace("#", ""));
}

function restoreJson({ point, run, putBack, milliseconds, passedOver }: RestoreReport): Record<string, unknown> {
  return {
    job: point.job,
    point: point.number,
    timeline: run.timeline,
    run: run.number,
    time: isoTime(point.takenAt),
    pid: run.root.pid,
    milliseconds: Math.round(milliseconds),
    files: putBack.files,
    undoFolder: putBack.undoFolder,
    undoBytes: putBack.undoBytes,
    passedOver,
  };
}

function restoreText({ point, run, putBack, passedOver }: RestoreReport): string {
  const changed = putBack.files.filter((file) => file.done !== "unchanged");
  return [
    ...passedOver.map((one) => `point ${one.number} did not come back: ${one.why}`),
    `${point.job}: runs again from point ${point.number} (${isoTime(point.takenAt)}), pid ${run.root.pid}, on timeline ${run.timeline}`,
    `  ${changed.length} of ${putBack.files.length} files put back${changed.length > 0 ? `; what they held is in ${putBack.undoFolder}` : ""}`,
    ...changed.map((file) => `  ${file.done.padEnd(9)} ${file.path}`),
  ].join("\n");
}

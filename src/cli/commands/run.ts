import path from "node:path";
import { type Command, Option } from "commander";
import { formatDuration } from "../../domain/duration.ts";
import { parseJobName } from "../../domain/name.ts";
import { formatPolicy, parsePolicy } from "../../domain/policy.ts";
import { makeSchedule, type Schedule, scheduleEvery } from "../../domain/schedule.ts";
import { parseSize } from "../../domain/size.ts";
import { exposureLimit } from "../../domain/exposure.ts";
import { start } from "../../engine/start.ts";
import { Fault } from "../../faults/fault.ts";
import type { Settings } from "../../settings/read.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export type GuardOptions = Common & {
  name: string;
  every?: string;
  cron?: string;
  zone?: string;
  keep?: string;
  maxChain?: string;
  dedup?: string;
  preDump?: string;
  onCrash?: string;
  compress?: string;
  exposureLimit?: string;
  include?: string[];
  exclude?: string[];
  fileLimit?: string;
};

type Options = GuardOptions & { cwd?: string; env?: string[]; user?: string; output?: string; error?: string; limit?: string[] };

export function addRun(root: Command, session: Session): void {
  guardOptions(
    subcommand(root, "run <command...>", "start a job under guard", "holdfast run --name lj --every 10m -- lmp -in in.lj"),
  )
    .option("--cwd <dir>", "its working directory (default: this one)")
    .option("--env <K=V>", "set a variable in its environment (repeatable)", collect, [])
    .option("--user <name>", "run as this user")
    .option("--output <file>", "append its standard output here (default: in the vault, see `holdfast logs`)")
    .option("--error <file>", "append its standard error here (default: with the output)")
    .option("--limit <name=value>", "a resource limit, as prlimit writes it: nofile=4096 (repeatable)", collect, [])
    .passThroughOptions()
    .action(async (command: string[], options: Options) => {
      const name = parseJobName(options.name);
      const engine = await session.engine(options, "run");
      const cwd = path.resolve(options.cwd ?? process.cwd());
      const output =
        options.output === undefined
          ? path.join(await engine.ports.vault.outputFolder(name), "out")
          : path.resolve(cwd, options.output);
      const job = {
        ...guarded(options, engine.settings, engine.ports.clock.now()),
        name,
        origin: "launched" as const,
        command,
        cwd,
        env: { ...(await engine.userEnvironment(options.user ?? null)), ...pairs(options.env ?? [], "--env") },
        user: options.user ?? null,
        limits: pairs(options.limit ?? [], "--limit"),
        output,
        error: options.error === undefined ? output : path.resolve(cwd, options.error),
      };
      const run = await start(engine.ports, job);
      const document = {
        job: name,
        run: run.number,
        timeline: run.timeline,
        pid: run.root.pid,
        initPid: run.init?.pid ?? null,
        output,
      };
      print(
        options.json === true,
        document,
        `${name}: runs, pid ${run.root.pid}, ${scheduleText(job.schedule)}\n  output: ${output}`,
      );
    });
}

export function guardOptions(command: Command): Command {
  return command
    .requiredOption("--name <name>", "the job's name: A-Z a-z 0-9 . _ -, at most 64")
    .addOption(new Option("--every <duration>", "take a generation this often: 10m, 1h30m, or auto").conflicts("cron"))
    .addOption(new Option("--cron <expression>", "take generations by the calendar: '*/15 * * * *'"))
    .option("--zone <zone>", "time zone of --cron, such as Europe/Berlin")
    .option("--keep <policy>", "the retention rules, as in the settings")
    .option("--max-chain <n>", "generations in one chain before the next base")
    .addOption(
      new Option("--dedup <how>", "exact, or in-dump: CRIU's own, for jobs that keep the newest point alone").choices([
        "exact",
        "in-dump",
      ]),
    )
    .addOption(
      new Option("--pre-dump <how>", "shorten the freeze by CRIU's pre-dumps: off, auto, read or splice").choices([...preDumps]),
    )
    .addOption(new Option("--on-crash <what>", "restore, or ask").choices(["restore", "ask"]))
    .addOption(
      new Option("--compress <what>", "off, or cold: old points are packed (default: as the settings say)").choices([
        "off",
        "cold",
      ]),
    )
    .option("--exposure-limit <duration>", "work at risk from which on status is red: 1h, auto or never")
    .option("--include <glob>", "capture these files too (repeatable)", collect, [])
    .option("--exclude <glob>", "never capture these files (repeatable)", collect, [])
    .option("--file-limit <size>", "largest file that is copied whole, such as 2GiB");
}

/** The part of a job that `run` and `protect` share. */
export function guarded(options: GuardOptions, settings: Settings, createdAt: number) {
  const maxChain = options.maxChain === undefined ? settings.defaults.maxChain : Number(options.maxChain);
  if (!Number.isInteger(maxChain) || maxChain < 1 || maxChain > 1000) {
    throw Fault.of("usage", { what: `--max-chain takes a number from 1 to 1000, not ${options.maxChain ?? ""}`, command: "run" });
  }
  const schedule = scheduleOf(options, settings);
  return {
    createdAt,
    schedule,
    keep: formatPolicy(parsePolicy(options.keep ?? settings.defaults.keep)),
    maxChain,
    dedup: options.dedup === undefined ? settings.defaults.dedup : oneOf(options.dedup, dedups),
    preDump: options.preDump === undefined ? settings.defaults.preDump : oneOf(options.preDump, preDumps),
    onCrash: options.onCrash === undefined ? settings.defaults.onCrash : oneOf(options.onCrash, crashAnswers),
    ...(options.compress === undefined ? {} : { compress: oneOf(options.compress, compressions) }),
    exposureLimit: exposureLimit(options.exposureLimit ?? settings.defaults.exposureLimit),
    files: {
      include: options.include ?? [],
      exclude: options.exclude ?? [],
      limitBytes: options.fileLimit === undefined ? settings.files.limit : parseSize(options.fileLimit),
    },
    intent: "run" as const,
  };
}

const dedups = ["exact", "in-dump"] as const;
const preDumps = ["off", "auto", "read", "splice"] as const;
const crashAnswers = ["restore", "ask"] as const;
const compressions = ["off", "cold"] as const;

function oneOf<T extends string>(word: string, words: readonly T[]): T {
  const found = words.find((one) => one === word);
  // The parser has refused every other word.
  if (found === undefined) throw new Error(`${word} is none of ${words.join(", ")}`);
  return found;
}

function scheduleOf(options: GuardOptions, settings: Settings): Schedule | null {
  if (options.cron !== undefined) return makeSchedule({ cron: options.cron, zone: options.zone ?? settings.zone });
  return scheduleEvery(options.every ?? settings.defaults.every);
}

export function scheduleText(schedule: Schedule | null): string {
  if (!schedule) return "a generation only when asked (`holdfast take`)";
  if (schedule.type === "auto") return "a generation as often as it is worth it (`holdfast advise` tells)";
  if (schedule.type === "cron") return `a generation at ${schedule.expression} (${schedule.zone})`;
  return `a generation every ${formatDuration(schedule.milliseconds)}`;
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function pairs(words: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf("=");
      if (at < 1) throw Fault.of("usage", { what: `${option} takes NAME=VALUE, not ${word}`, command: "run" });
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}

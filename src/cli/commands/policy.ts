import { type Command, Option } from "commander";
import { formatDuration } from "../../domain/duration.ts";
import { exposureLimit, exposureLimitNow } from "../../domain/exposure.ts";
import type { Job } from "../../domain/job.ts";
import { parseJobName } from "../../domain/name.ts";
import { formatSchedule, scheduleEvery } from "../../domain/schedule.ts";
import { formatPolicy, parsePolicy } from "../../domain/policy.ts";
import { changeJob } from "../../engine/change-job.ts";
import { findJob } from "../../engine/find-job.ts";
import { compressOf } from "../../engine/pack-cold.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & {
  every?: string;
  keep?: string;
  dedup?: Job["dedup"];
  onCrash?: Job["onCrash"];
  compress?: NonNullable<Job["compress"]>;
  exposureLimit?: string;
};

export function addPolicy(root: Command, session: Session): void {
  subcommand(
    root,
    "policy <name>",
    "show or change how often a generation is taken of a job, what is kept of it, and what is done when it crashes",
    "holdfast policy lj --keep 'last=6, daily=7, max-bytes=200GiB'",
  )
    .option("--every <duration>", "10m, 1h30m, auto, or never")
    .option("--keep <rules>", "last, within, hourly, daily, weekly, monthly, yearly, max-bytes, max-points; or all")
    .addOption(new Option("--dedup <how>", "exact, or in-dump (CRIU's own; only with last=1)").choices(["exact", "in-dump"]))
    .addOption(new Option("--on-crash <what>", "restore, or ask").choices(["restore", "ask"]))
    .addOption(new Option("--compress <what>", "off, or cold: old points are packed").choices(["off", "cold"]))
    .option("--exposure-limit <duration>", "work at risk from which on status is red: 1h, auto or never")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const { every, keep: rules } = options;
      const changes = [every, rules, options.dedup, options.onCrash, options.compress, options.exposureLimit].some(
        (one) => one !== undefined,
      );
      const engine = await session.engine(options, changes ? "policy" : undefined);
      const job = changes ? await changeJob(engine.ports, name, (one) => changed(one, options)) : await findJob(engine.ports, name);
      const { keep, dedup, onCrash, schedule } = job;
      const compress = compressOf(job, engine.settings.compress);
      const limit = job.exposureLimit;
      const due = (await engine.ports.catalogue.dues()).find((one) => one.job === name);
      const limitNow = exposureLimitNow(job, due?.interval ?? null);
      print(
        options.json === true,
        { job: name, keep, dedup, onCrash, compress, schedule, exposureLimitSeconds: limitNow === null ? null : limitNow / 1000 },
        [
          `${name}: keeps ${keep}`,
          `  schedule: ${schedule === null ? "only when asked" : formatSchedule(schedule)}`,
          `  dedup: ${dedup}`,
          `  on a crash: ${onCrash}`,
          `  compress: ${compress}`,
          `  exposure limit: ${limit === "auto" ? "auto, now " : ""}${limitNow === null ? "none" : formatDuration(limitNow)}`,
        ].join("\n"),
      );
    });
}

function changed(job: Job, options: Options): Job {
  return {
    ...job,
    ...(options.every === undefined ? {} : { schedule: scheduleEvery(options.every) }),
    ...(options.keep === undefined ? {} : { keep: formatPolicy(parsePolicy(options.keep)) }),
    ...(options.dedup === undefined ? {} : { dedup: options.dedup }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
    ...(options.compress === undefined ? {} : { compress: options.compress }),
    ...(options.exposureLimit === undefined ? {} : { exposureLimit: exposureLimit(options.exposureLimit) }),
  };
}

import { type Command, Option } from "commander";
import { formatDuration } from "../../domain/duration.ts";
import { exposureLimit } from "../../domain/exposure.ts";
import type { Job } from "../../domain/job.ts";
import { parseJobName } from "../../domain/name.ts";
import { formatPolicy, parsePolicy } from "../../domain/policy.ts";
import { changeJob } from "../../engine/change-job.ts";
import { findJob } from "../../engine/find-job.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & {
  keep?: string;
  dedup?: Job["dedup"];
  onCrash?: Job["onCrash"];
  exposureLimit?: string;
};

export function addPolicy(root: Command, session: Session): void {
  subcommand(
    root,
    "policy <name>",
    "show or change what is kept of a job, and what is done when it crashes",
    "holdfast policy lj --keep 'last=6, daily=7, max-bytes=200GiB'",
  )
    .option("--keep <rules>", "last, within, hourly, daily, weekly, monthly, yearly, max-bytes, max-points; or all")
    .addOption(new Option("--dedup <how>", "exact, or in-dump (CRIU's own; only with last=1)").choices(["exact", "in-dump"]))
    .addOption(new Option("--on-crash <what>", "restore, or ask").choices(["restore", "ask"]))
    .option("--exposure-limit <duration>", "work at risk from which on status is red: 1h, auto or never")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const changes = [options.keep, options.dedup, options.onCrash, options.exposureLimit].some((one) => one !== undefined);
      const engine = await session.engine(options, changes ? "policy" : undefined);
      const job = changes ? await changeJob(engine.ports, name, (one) => changed(one, options)) : await findJob(engine.ports, name);
      const { keep, dedup, onCrash } = job;
      const limit = job.exposureLimit;
      print(
        options.json === true,
        { job: name, keep, dedup, onCrash, exposureLimitSeconds: limit === null ? null : limit / 1000 },
        [
          `${name}: keeps ${keep}`,
          `  dedup: ${dedup}`,
          `  on a crash: ${onCrash}`,
          `  exposure limit: ${limit === null ? "none" : formatDuration(limit)}`,
        ].join("\n"),
      );
    });
}

function changed(job: Job, options: Options): Job {
  return {
    ...job,
    ...(options.keep === undefined ? {} : { keep: formatPolicy(parsePolicy(options.keep)) }),
    ...(options.dedup === undefined ? {} : { dedup: options.dedup }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
    ...(options.exposureLimit === undefined ? {} : { exposureLimit: exposureLimit(options.exposureLimit, job.schedule) }),
  };
}

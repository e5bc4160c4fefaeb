import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatPolicy, parsePolicy } from "../../domain/policy.ts";
import { findJob } from "../../engine/find-job.ts";
import { changeJob } from "../../engine/change-job.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { keep?: string };

export function addPolicy(root: Command, session: Session): void {
  subcommand(
    root,
    "policy <name>",
    "show or change what is kept of a job",
    "holdfast policy lj --keep 'last=6, daily=7, max-bytes=200GiB'",
  )
    .option("--keep <rules>", "last, within, hourly, daily, weekly, monthly, yearly, max-bytes, max-points; or all")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, options.keep === undefined ? undefined : "policy");
      const wanted = options.keep === undefined ? null : formatPolicy(parsePolicy(options.keep));
      const job =
        wanted === null
          ? await findJob(engine.ports, name)
          : await changeJob(engine.ports, name, (one) => ({ ...one, keep: wanted }));
      print(options.json === true, { job: name, keep: job.keep }, `${name}: keeps ${job.keep}`);
    });
}

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { findJob } from "../../engine/find-job.ts";
import { observe } from "../../engine/observe.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { follow?: true };

export function addLogs(root: Command, session: Session): void {
  subcommand(root, "logs <name>", "what a job has printed", "holdfast logs lj -f")
    .option("-f, --follow", "go on as it prints more, until it ends")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const { ports } = await session.engine(options);
      const job = await findJob(ports, name);
      if (options.json === true) return print(true, { job: name, output: job.output, error: job.error }, "");
      if (job.output === null) {
        throw Fault.of("usage", { what: `${name} was taken on while it ran; its output goes where it was sent`, command: "logs" });
      }
      for (const file of new Set([job.output, job.error ?? job.output])) {
        let seen = await copyFrom(file, 0);
        while (options.follow && file === job.output) {
          const running = (await observe(ports, job)).state === "running";
          seen = await copyFrom(file, seen);
          if (!running) break;
          await wait(200);
        }
      }
    });
}

/** Copies to standard output from `offset` on; a file that a restore cut back is read on from its new end. */
async function copyFrom(file: string, offset: number): Promise<number> {
  const size = (await stat(file).catch(() => null))?.size ?? 0;
  if (size <= offset) return size;
  for await (const part of createReadStream(file, { start: offset, end: size - 1 })) process.stdout.write(part as Buffer);
  return size;
}

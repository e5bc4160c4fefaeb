import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { stop } from "../../engine/stop.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { takeJson, takeText } from "./take.ts";

type Options = Common & { take: boolean; kill?: true };

export function addStop(root: Command, session: Session): void {
  subcommand(root, "stop <name>", "take a last generation, then end the job (SIGTERM); `resume` brings it back", "holdfast stop lj")
    .option("--no-take", "no last generation")
    .option("--kill", "SIGKILL instead of SIGTERM")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "stop");
      const report = await stop(engine.ports, name, {
        last: options.take ? "take" : "no-take",
        how: options.kill ? "kill" : "ask",
      });
      const { run, take } = report;
      print(
        options.json === true,
        {
          job: name,
          run: run.number,
          timeline: run.timeline,
          point: take?.generation.number ?? null,
          ending: run.ending,
          take: take && takeJson(take),
        },
        [...(take ? [takeText(take)] : []), `${name}: stopped; \`holdfast resume ${name}\` brings it back`].join("\n"),
      );
    });
}

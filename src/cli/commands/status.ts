import { styleText } from "node:util";
import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { status } from "../../engine/queries.ts";
import { print } from "../print.ts";
import { recoveryJson, recoveryStatus, recoveryText } from "../render/recovery.ts";
import { statusExit, statusJson, statusText } from "../render/status.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { all?: true };

export function addStatus(root: Command, session: Session): void {
  subcommand(root, "status [name]", "how the jobs stand", "holdfast status")
    .option("--all", "retired jobs too")
    .action(async (word: string | undefined, options: Options) => {
      const name = word === undefined ? null : parseJobName(word);
      const engine = await session.engine(options);
      const rows = (await status(engine.ports, name)).filter((one) => options.all || name !== null || one.state !== "retired");
      // `styleText` leaves it as it is where standard output is no terminal, and where NO_COLOR is set.
      const red = (text: string): string => styleText("red", text, { stream: process.stdout });
      const { ports, settings } = engine;
      const recoveries = await Promise.all(rows.map((one) => recoveryStatus(ports, one, settings.recover)));
      const jobs = rows.map((one, at) => ({ ...statusJson(one), recovery: recoveries[at] && recoveryJson(recoveries[at]) }));
      const which = name === null ? "outlook" : "tries";
      const notes = recoveries.flatMap((one, at) => recoveryText(rows[at]?.job.name ?? "", one, settings.zone, which));
      print(options.json === true, { jobs }, [statusText(rows, settings.zone, red), ...notes].join("\n"));
      session.exitStatus = statusExit(rows);
    });
}

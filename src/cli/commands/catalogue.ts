import type { Command } from "commander";
import { rebuildCatalogue } from "../../compose.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addCatalogue(root: Command, session: Session): void {
  const group = root
    .command("catalogue")
    .description("the index of the vault")
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  subcommand(group, "rebuild", "make the catalogue again from the vault's manifests alone", "holdfast catalogue rebuild").action(
    async (options: Common) => {
      const report = await rebuildCatalogue(session.settings(options));
      const { jobs, runs, generations, damaged, unread, setAside } = report;
      print(
        options.json === true,
        { jobs, runs, generations, damaged, unread, setAside },
        [
          `${jobs} jobs, ${runs} runs, ${generations} generations`,
          ...(setAside === null ? [] : [`the old catalogue is kept as ${setAside}`]),
          ...damaged.map((one) => `damaged: ${one.job} point ${one.number}: ${one.why}`),
          ...unread.map((one) => `passed over: ${one.job}: ${one.why}`),
        ].join("\n"),
      );
      if (damaged.length + unread.length > 0) session.exitStatus = 13;
    },
  );
}

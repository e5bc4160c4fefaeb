import type { Command } from "commander";
import { print } from "../print.ts";
import { runDemo } from "../demo/demo.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addDemo(root: Command, session: Session): void {
  subcommand(
    root,
    "demo",
    "guards a small computation, kills it, brings it back and compares: about a minute",
    "holdfast demo",
  ).action(async (options: Common) => {
    const say = (text: string) => process.stderr.write(`${text}\n`);
    const report = await runDemo(session, options, options.quiet ? () => undefined : say);
    print(options.json === true, report, report.identical ? "" : "the outputs differ: this must not happen, please report it");
    if (!report.identical) session.exitStatus = 1;
  });
}

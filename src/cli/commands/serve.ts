import type { Command } from "commander";
import { Fault } from "../../faults/fault.ts";
import { type Common, type Session, subcommand } from "../session.ts";

/** The launcher sends `serve` to the service's own main (rooms of the roof do not meet); this is its place in the help. */
export function addServe(root: Command, session: Session): void {
  subcommand(root, "serve", "the service: takes generations when they fall due, until SIGTERM", "holdfast serve").action(
    (options: Common) => {
      session.settings(options);
      throw Fault.of("usage", { what: "start the service through bin/holdfast", command: "serve" });
    },
  );
}

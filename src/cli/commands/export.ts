import path from "node:path";
import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { exportPoint } from "../../engine/export-point.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point?: string };

export function addExport(root: Command, session: Session): void {
  subcommand(
    root,
    "export <name> <dir>",
    "write a point as a plain CRIU image directory that stands alone",
    "holdfast export lj --point 7 /scratch/lj7",
  )
    .option("--point <number>", "this point (default: the newest)")
    .action(async (word: string, dir: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "export");
      const target =
        options.point === undefined
          ? { type: "latest" as const }
          : { type: "point" as const, number: wholeNumber(options.point, "--point") };
      const { point, into, bytes, restoreOptions } = await exportPoint(engine.ports, name, target, path.resolve(dir));
      print(
        options.json === true,
        { job: name, point: point.number, timeline: point.timeline, directory: into, bytes, restoreOptions },
        `${name}: point ${point.number} is in ${into} (${formatSize(bytes)})\n  by hand: criu restore -D ${into} ${restoreOptions.join(" ")}`,
      );
    });
}

import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { foldPoint, type FoldReport } from "../../engine/fold-point.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point: string };

export function addFold(root: Command, session: Session): void {
  subcommand(root, "fold <name>", "make a point a base, without touching the job", "holdfast fold lj --point 7")
    .requiredOption("--point <number>", "the point")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "fold");
      const report = await foldPoint(engine.ports, name, wholeNumber(options.point, "--point"));
      print(options.json === true, { job: name, ...report }, `${name}: ${foldText(report)}`);
    });
}

function foldText({ point, stoodOn, bytesBefore, bytesAfter }: FoldReport): string {
  if (stoodOn === null) return `point ${point} is a base already; nothing was changed`;
  return `point ${point} is a base now, and stood on ${stoodOn}: ${formatSize(bytesBefore)} before, ${formatSize(bytesAfter)} now`;
}

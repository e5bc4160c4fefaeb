import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { dedup } from "../../engine/dedup.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addDedup(root: Command, session: Session): void {
  subcommand(root, "dedup <name>", "drop pages that a point holds twice over with its chain", "holdfast dedup lj").action(
    async (word: string, options: Common) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "dedup");
      const report = await dedup(engine.ports, name);
      const lines = report.changed.map(({ number, pagesDropped }) => `  point ${number}: ${pagesDropped} pages dropped`);
      const sizes = `${formatSize(report.bytesBefore)} before, ${formatSize(report.bytesAfter)} now`;
      print(options.json === true, { job: name, ...report }, [`${name}: ${sizes}`, ...lines].join("\n"));
    },
  );
}

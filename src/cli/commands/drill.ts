import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { isoTime } from "../../domain/time.ts";
import { drill, type DrillReport } from "../../engine/drill.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point?: string };

export function addDrill(root: Command, session: Session): void {
  subcommand(root, "drill <name>", "bring a point back in isolation, see that it lives, throw it away", "holdfast drill lj")
    .option("--point <number>", "this point (default: the newest)")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "drill");
      const point = options.point === undefined ? null : wholeNumber(options.point, "--point");
      const report = await drill(engine.ports, name, { point, resume: engine.settings.drill.resume });
      print(options.json === true, drillJson(report), drillText(report));
    });
}

function drillJson({ point, provenAt, milliseconds, lived, ...rest }: DrillReport): Record<string, unknown> {
  return {
    job: point.job,
    point: point.number,
    provenAt: isoTime(provenAt),
    milliseconds: Math.round(milliseconds),
    livedMilliseconds: Math.round(lived),
    ...rest,
  };
}

function drillText(report: DrillReport): string {
  const { point, milliseconds, processes, compared, pages, lived, files, bytes, copied, readOnly } = report;
  const life = lived === 0 ? "it was left stopped" : `it ran for ${seconds(lived)}`;
  return [
    `${point.job}: point ${point.number} is proven: it came back in ${seconds(milliseconds)}, and was thrown away`,
    `  ${processes} process${processes === 1 ? "" : "es"}; ${compared} of ${pages} pages compared, all as the images have them; ${life}`,
    `  ${files} files (${formatSize(bytes)}) as private copies; what it wrote under ${copied.join(", ")} is gone with them`,
    ...(readOnly.length === 0 ? [] : [`  could only be read there: ${readOnly.join(", ")}`]),
  ].join("\n");
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

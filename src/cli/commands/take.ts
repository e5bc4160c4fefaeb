import type { Command } from "commander";
import { formatDuration } from "../../domain/duration.ts";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { take, type TakeReport } from "../../engine/take.ts";
import { print } from "../print.ts";
import { formatMicros } from "../render/generation.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addTake(root: Command, session: Session): void {
  subcommand(root, "take <name>", "take a generation of a running job now", "holdfast take lj").action(
    async (word: string, options: Common) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "take");
      const report = await take(engine.ports, name);
      print(options.json === true, takeJson(report), takeText(report));
    },
  );
}

export function takeJson(report: TakeReport): Record<string, unknown> {
  const { generation, milliseconds, stats, thin, leftOut, findings } = report;
  return {
    job: generation.job,
    point: generation.number,
    timeline: generation.timeline,
    run: generation.run,
    kind: generation.kind,
    parent: generation.parent,
    reason: generation.reason,
    bytes: generation.bytes,
    freezeMicros: stats.freezeMicros,
    milliseconds: Math.round(milliseconds),
    pages: generation.pages,
    bytesRead: thin.bytesRead,
    bytesWritten: thin.bytesWritten,
    leftOut: leftOut.map(({ path, why }) => ({ path, why })),
    findings: findings.map(({ code, level, what, remedy }) => ({ code, level, what, remedy })),
  };
}

export function takeText({ generation, milliseconds, leftOut, findings }: TakeReport): string {
  const what = generation.kind === "base" ? "a base" : `an increment on ${generation.parent}`;
  const lines = [
    `${generation.job}: point ${generation.number}, ${what} (${generation.reason})`,
    `  ${formatSize(generation.bytes)}; the job stood still for ${formatMicros(generation.freezeMicros)}; ${formatDuration(Math.round(milliseconds))} in all`,
    ...leftOut.map((file) => `  not in it: ${file.path} (${file.why})`),
    ...findings.filter((finding) => finding.level === "caution").map((finding) => `  note: ${finding.what}; ${finding.remedy}`),
  ];
  return lines.join("\n");
}

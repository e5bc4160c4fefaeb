import type { Command } from "commander";
import { formatDuration, parseDuration } from "../../domain/duration.ts";
import { parseJobName } from "../../domain/name.ts";
import { whySkipped } from "../../domain/plan-take-all.ts";
import { formatSize } from "../../domain/size.ts";
import { findJob } from "../../engine/find-job.ts";
import { take, type TakeReport } from "../../engine/take.ts";
import { takeAll, type TakeOutcome, takeWithin } from "../../engine/take-all.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { formatMicros } from "../render/generation.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { all?: true; deadline?: string };

export function addTake(root: Command, session: Session): void {
  subcommand(root, "take [name]", "take a generation of a running job now, or of all of them", "holdfast take lj")
    .option("--all", "every running job, the one with the most work at risk first")
    .option("--deadline <duration>", "begin only what is expected to end in this time")
    .action(async (word: string | undefined, options: Options) => {
      const milliseconds = options.deadline === undefined ? null : parseDuration(options.deadline);
      if ((word === undefined) !== (options.all === true)) {
        const what = word === undefined ? "a job's name is missing, or --all" : "either a job's name or --all, not both";
        throw Fault.of("usage", { what, command: "take" });
      }
      const name = word === undefined ? null : parseJobName(word);
      const { ports, takesAtOnce } = await session.engine(options, "take");
      const deadline = milliseconds === null ? null : ports.clock.monotonic() + milliseconds;
      if (name === null) {
        const outcomes = await takeAll(ports, { places: takesAtOnce, deadline });
        print(options.json === true, { jobs: outcomes.map(outcomeJson) }, takeAllText(outcomes));
        if (outcomes.some((one) => one.outcome !== "took")) session.exitStatus = 3;
        return;
      }
      const report =
        deadline === null
          ? await take(ports, name)
          : orThrow(await takeWithin(ports, await findJob(ports, name), deadline), options.deadline ?? "");
      print(options.json === true, takeJson(report), takeText(report));
    });
}

function orThrow(one: TakeOutcome, deadline: string): TakeReport {
  if (one.outcome === "took") return one.report;
  if (one.outcome === "failed") throw one.fault;
  throw Fault.of("deadline-short", { job: one.job, deadline, why: whySkipped(one) });
}

function outcomeJson(one: TakeOutcome): Record<string, unknown> {
  if (one.outcome === "took") return { job: one.job, outcome: one.outcome, take: takeJson(one.report) };
  if (one.outcome === "skipped") {
    const { job, outcome, predicted, left } = one;
    return { job, outcome, predictedMilliseconds: predicted, leftMilliseconds: Math.max(0, Math.round(left)) };
  }
  const { code, message, remedy } = one.fault;
  return { job: one.job, outcome: one.outcome, fault: { code, message, remedy } };
}

function takeAllText(outcomes: readonly TakeOutcome[]): string {
  if (outcomes.length === 0) return "no job runs";
  return outcomes.map(outcomeText).join("\n");
}

function outcomeText(one: TakeOutcome): string {
  if (one.outcome === "took") return takeText(one.report);
  if (one.outcome === "skipped") return `${one.job}: skipped: ${whySkipped(one)}`;
  return `${one.job}: failed: ${one.fault.message} [${one.fault.code}]\n  next: ${one.fault.remedy}`;
}

export function takeJson(report: TakeReport): Record<string, unknown> {
  const { generation, milliseconds, stats, thin, leftOut, findings, preDumps, staging } = report;
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
    preDumps,
    staging,
    milliseconds: Math.round(milliseconds),
    pages: generation.pages,
    pagesBlank: thin.pagesBlank,
    bytesRead: thin.bytesRead,
    bytesWritten: thin.bytesWritten,
    leftOut: leftOut.map(({ path, why }) => ({ path, why })),
    findings: findings.map(({ code, level, what, remedy }) => ({ code, level, what, remedy })),
  };
}

export function takeText({ generation, milliseconds, thin, leftOut, findings, preDumps, staging }: TakeReport): string {
  const what = generation.kind === "base" ? "a base" : `an increment on ${generation.parent}`;
  const lines = [
    `${generation.job}: point ${generation.number}, ${what} (${generation.reason})`,
    `  ${formatSize(generation.bytes)}; the job stood still for ${formatMicros(generation.freezeMicros)}; ${formatDuration(Math.round(milliseconds))} in all`,
    `  of its images ${formatSize(thin.bytesRead)} were read and ${formatSize(thin.bytesWritten)} written${blanks(thin.pagesBlank)}`,
    ...(staging.why === null ? [] : [`  dumped to the vault's disk, not to staging: ${staging.why}`]),
    ...preDumps.map(
      ({ pages, freezeMicros }, at) =>
        `  pre-dump ${at + 1}: ${formatSize(pages * 4096)}; the job stood still for ${formatMicros(freezeMicros)}`,
    ),
    ...leftOut.map((file) => `  not in it: ${file.path} (${file.why})`),
    ...findings.filter((finding) => finding.level === "caution").map((finding) => `  note: ${finding.what}; ${finding.remedy}`),
  ];
  return lines.join("\n");
}

function blanks(pages: number): string {
  return pages === 0 ? "" : `; ${pages} pages full of zeros are left out`;
}

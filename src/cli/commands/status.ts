import type { Command } from "commander";
import { formatDuration } from "../../domain/duration.ts";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { formatTime, isoTime } from "../../domain/time.ts";
import { type JobStatus, status } from "../../engine/queries.ts";
import { print } from "../print.ts";
import { formatMicros } from "../render/generation.ts";
import { table } from "../render/table.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { all?: true };

export function addStatus(root: Command, session: Session): void {
  subcommand(root, "status [name]", "how the jobs stand", "holdfast status")
    .option("--all", "retired jobs too")
    .action(async (word: string | undefined, options: Options) => {
      const name = word === undefined ? null : parseJobName(word);
      const engine = await session.engine(options);
      const rows = (await status(engine.ports, name)).filter((one) => options.all || name !== null || one.state !== "retired");
      print(options.json === true, { jobs: rows.map(statusJson) }, statusText(rows, engine.settings.zone));
    });
}

function statusJson(one: JobStatus): Record<string, unknown> {
  const { job, run, newest, lastFault } = one;
  return {
    name: job.name,
    state: one.state,
    exposureSeconds: one.exposureSeconds,
    newestPoint: newest?.number ?? null,
    newestTime: newest ? isoTime(newest.takenAt) : null,
    freezeMicros: newest?.freezeMicros ?? null,
    points: one.points,
    bytes: one.bytes,
    nextTake: one.nextDue === null ? null : isoTime(one.nextDue),
    missed: one.missed,
    lastFault: lastFault && { code: lastFault.code, message: lastFault.message, time: isoTime(lastFault.at) },
    origin: job.origin,
    command: job.command,
    cwd: job.cwd,
    output: job.output,
    schedule: job.schedule,
    keep: job.keep,
    maxChain: job.maxChain,
    intent: job.intent,
    run: run && {
      number: run.number,
      timeline: run.timeline,
      from: run.from,
      pid: run.root.pid,
      initPid: run.init?.pid ?? null,
      startedAt: isoTime(run.startedAt),
      endedAt: run.endedAt === null ? null : isoTime(run.endedAt),
      ending: run.ending,
    },
  };
}

function statusText(rows: readonly JobStatus[], zone: string): string {
  if (rows.length === 0) return "no jobs; start one with `holdfast run --name NAME --every 10m -- COMMAND`";
  const head = ["job", "state", "exposure", "newest point", "points", "size", "freeze", "next take"];
  const lines = rows.map((one) => [
    one.job.name,
    stateText(one),
    one.exposureSeconds === null ? "-" : formatDuration(Math.round(one.exposureSeconds) * 1000),
    one.newest ? `${one.newest.number} (${formatTime(one.newest.takenAt, zone)})` : "none",
    String(one.points),
    formatSize(one.bytes),
    one.newest ? formatMicros(one.newest.freezeMicros) : "-",
    one.nextDue === null ? "-" : formatTime(one.nextDue, zone),
  ]);
  const notes = rows.flatMap((one) => [
    ...(one.lastFault ? [`${one.job.name}: the last take failed: ${one.lastFault.message} [${one.lastFault.code ?? ""}]`] : []),
    ...(one.state === "crashed"
      ? [`${one.job.name}: vanished without an exit status; bring it back with \`holdfast restore ${one.job.name}\``]
      : []),
  ]);
  return [table(head, lines), ...notes].join("\n");
}

function stateText({ state, run }: JobStatus): string {
  const ending = run?.ending;
  if (!ending || (state !== "failed" && state !== "finished")) return state;
  return ending.type === "exited" ? `${state} (${ending.status})` : `${state} (signal ${ending.signal})`;
}

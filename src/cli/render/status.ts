import { formatDuration } from "../../domain/duration.ts";
import { formatSize } from "../../domain/size.ts";
import { formatTime, isoTime } from "../../domain/time.ts";
import type { JobStatus } from "../../engine/queries.ts";
import { formatMicros } from "./generation.ts";
import { table } from "./table.ts";

/** 13: a job that is not retired has damaged generations; 3: one has more work at risk than it may; else 0. */
export function statusExit(rows: readonly JobStatus[]): 0 | 3 | 13 {
  if (rows.some(({ state, damaged }) => state !== "retired" && damaged.length > 0)) return 13;
  return rows.some(({ exposureOver }) => exposureOver) ? 3 : 0;
}

/** The keys are a promise (`docs/reference/json.md`). */
export function statusJson(one: JobStatus): Record<string, unknown> {
  const { job, run, newest, lastFault } = one;
  return {
    name: job.name,
    state: one.state,
    exposureSeconds: one.exposureSeconds,
    exposureLimitSeconds: one.exposureLimit === null ? null : one.exposureLimit / 1000,
    exposureOver: one.exposureOver,
    newestPoint: newest?.number ?? null,
    newestTime: newest ? isoTime(newest.takenAt) : null,
    freezeMicros: newest?.freezeMicros ?? null,
    points: one.points,
    bytes: one.bytes,
    damaged: one.damaged,
    lost: one.lost,
    nextTake: one.nextDue === null ? null : isoTime(one.nextDue),
    missed: one.missed,
    lastFault: lastFault && { code: lastFault.code, message: lastFault.message, time: isoTime(lastFault.at) },
    origin: job.origin,
    command: job.command,
    cwd: job.cwd,
    output: job.output,
    schedule: job.schedule,
    intervalSeconds: one.interval === null ? null : one.interval / 1000,
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

/** `red`: how a line is made red, or left as it is where there is no colour. */
export function statusText(rows: readonly JobStatus[], zone: string, red: (text: string) => string): string {
  if (rows.length === 0) return "no jobs; start one with `holdfast run --name NAME --every 10m -- COMMAND`";
  const head = ["job", "state", "exposure", "newest point", "points", "size", "freeze", "next take"];
  const cells = rows.map((one) => [
    one.job.name,
    stateText(one),
    exposureText(one),
    one.newest ? `${one.newest.number} (${formatTime(one.newest.takenAt, zone)})` : "none",
    String(one.points),
    formatSize(one.bytes),
    one.newest ? formatMicros(one.newest.freezeMicros) : "-",
    one.nextDue === null ? "-" : formatTime(one.nextDue, zone),
  ]);
  const [first = "", ...lines] = table(head, cells).split("\n");
  const coloured = lines.map((line, at) => (rows[at]?.exposureOver === true ? red(line) : line));
  return [first, ...coloured, ...rows.flatMap(notesOn)].join("\n");
}

function exposureText({ exposureSeconds, exposureLimit }: JobStatus): string {
  if (exposureSeconds === null) return "-";
  const now = formatDuration(Math.round(exposureSeconds) * 1000);
  return exposureLimit === null ? now : `${now} of ${formatDuration(exposureLimit)}`;
}

function notesOn(one: JobStatus): readonly string[] {
  const { exposureLimit } = one;
  const { name } = one.job;
  const notes: string[] = [];
  if (one.lastFault) notes.push(`the last take failed: ${one.lastFault.message} [${one.lastFault.code ?? ""}]`);
  if (one.exposureOver && exposureLimit !== null)
    notes.push(
      `more than ${formatDuration(exposureLimit)} of work would be lost by a crash now; \`holdfast take ${name}\` takes a point, \`systemctl status holdfast\` tells whether the service does`,
    );
  if (one.damaged.length > 0) notes.push(damageText(one));
  if (one.state === "crashed") notes.push("vanished without an exit status");
  return notes.map((note) => `${name}: ${note}`);
}

/** Points that are lost with the damage are named too: they are whole, and can be read again when it is repaired. */
function damageText({ job: { name }, damaged, lost, newest }: JobStatus): string {
  const standing = lost.length === 0 ? "" : `, and ${named(lost)} cannot be read without ${damaged.length === 1 ? "it" : "them"}`;
  const next =
    newest === null
      ? `no point is left: \`holdfast take ${name}\` makes a base`
      : `point ${newest.number} is the newest still offered (\`holdfast restore ${name}\`), \`holdfast verify ${name}\` reads all that are left back`;
  const given = `\`holdfast expire ${name} --damaged\` gives up what nobody means to repair`;
  return `${named(damaged)} ${damaged.length === 1 ? "is" : "are"} damaged${standing}; ${next}; ${given}`;
}

function named(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 8).join(", ");
  const more = numbers.length > 8 ? ` and ${numbers.length - 8} more` : "";
  return `${numbers.length === 1 ? "generation" : "generations"} ${shown}${more}`;
}

function stateText({ state, run }: JobStatus): string {
  const ending = run?.ending;
  if (!ending || (state !== "failed" && state !== "finished")) return state;
  return ending.type === "exited" ? `${state} (${ending.status})` : `${state} (signal ${ending.signal})`;
}

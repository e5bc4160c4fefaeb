import type { Advice, AdviceRow } from "../../domain/advice.ts";
import type { BestInterval, IntervalRules } from "../../domain/best-interval.ts";
import { formatDuration } from "../../domain/duration.ts";
import type { Job } from "../../domain/job.ts";
import { formatSchedule } from "../../domain/schedule.ts";
import { formatPercent } from "../../domain/share.ts";
import { table } from "./table.ts";

type JobAdvice = Advice & { readonly job: Job };

/** The keys are a promise (`docs/reference/json.md`). */
export function adviceJson({ job, plan, rows, own, now }: JobAdvice): Record<string, unknown> {
  const { cost, failures } = plan;
  return {
    job: job.name,
    schedule: job.schedule,
    cost: cost && {
      seconds: seconds(cost.cost),
      freezeSeconds: seconds(cost.freeze),
      slowdownSeconds: seconds(cost.slowdown),
      takeSeconds: seconds(cost.lasts),
      generations: cost.generations,
    },
    failures: { count: failures.failures, observedSeconds: seconds(failures.observed), mtbfSeconds: seconds(failures.mtbf) },
    autoSeconds: seconds(plan.every),
    now: now && { everySeconds: seconds(now.every), overhead: now.overhead, lossSeconds: seconds(now.loss) },
    own: own && rowJson(own),
    examples: rows.map(rowJson),
  };
}

function rowJson({ mtbf, best, shorterFreeze }: AdviceRow): Record<string, unknown> {
  return { mtbfSeconds: seconds(mtbf), ...bestJson(best), shorterFreeze: bestJson(shorterFreeze) };
}

function bestJson({ every, ruledBy, why, optimum, overhead, loss }: BestInterval): Record<string, unknown> {
  const [everySeconds, optimumSeconds, lossSeconds] = [seconds(every), seconds(optimum), seconds(loss)];
  return { everySeconds, ruledBy, why, optimumSeconds, overhead, lossSeconds };
}

export function adviceText({ job, plan, rows, own, now }: JobAdvice, { mtbf }: IntervalRules): string {
  const { cost, failures } = plan;
  const { name } = job;
  if (cost === null || own === null)
    return `${name}: what a generation costs is not known yet; \`holdfast take ${name}\` takes one, "auto" would after ${formatDuration(plan.every)}`;
  const seen =
    failures.observed === 0
      ? "nothing seen here yet"
      : `${count(failures.failures, "failure")} in ${rough(failures.observed)} of jobs here`;
  const head = ["with a failure every", "a generation every", "expected overhead", "expected loss per failure", "because"];
  const line = (label: string, { best }: AdviceRow): string[] => [
    label,
    formatDuration(best.every),
    formatPercent(best.overhead),
    rough(best.loss),
    best.why,
  ];
  const [all, half] = [own.best, own.shorterFreeze];
  const said = table(head, [...rows.map((row) => line(rough(row.mtbf), row)), line(`${rough(own.mtbf)} (*)`, own)]);
  return [
    `${name}: a generation costs ${span(cost.cost)} (${span(cost.freeze)} frozen, at most ${span(cost.slowdown)} of slowdown outside that), as ${count(cost.generations, "generation")} tell`,
    ...said.split("\n").map((one) => `  ${one}`),
    `  (*) what is believed of this machine: interval.mtbf is ${formatDuration(mtbf)}; ${seen}`,
    half.every === all.every
      ? `  a freeze half as long: still every ${formatDuration(half.every)}, overhead ${formatPercent(half.overhead)}`
      : `  a freeze half as long: every ${formatDuration(half.every)}, overhead ${formatPercent(half.overhead)}, ${rough(half.loss)} lost per failure`,
    `  ${nowText(job, now)}`,
  ].join("\n");
}

function nowText({ name, schedule }: Job, now: Advice["now"]): string {
  if (schedule === null) return `now: only when asked; \`holdfast policy ${name} --every auto\` lets the service choose`;
  if (now === null) return `now: ${formatSchedule(schedule)}`;
  const brings = `overhead ${formatPercent(now.overhead)}, ${rough(now.loss)} lost per failure`;
  if (schedule.type === "auto") return `now: every ${formatDuration(now.every)} (auto): ${brings}`;
  return `now: ${formatSchedule(schedule)}: ${brings}; \`holdfast policy ${name} --every auto\` lets the service choose`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Three digits that count: `0.41 s`, `12.3 s`, `0.0052 s`. */
function span(milliseconds: number): string {
  return `${Number((milliseconds / 1000).toPrecision(milliseconds < 100 ? 2 : 3))} s`;
}

/** No more digits than an expectation has: `12m`, `4h`, `31d`. */
function rough(milliseconds: number): string {
  const unit = milliseconds < 2 * minute ? 1000 : milliseconds < 2 * hour ? minute : milliseconds < 2 * day ? hour : day;
  return formatDuration(Math.max(unit, Math.round(milliseconds / unit) * unit));
}

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

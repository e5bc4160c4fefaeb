import { recoveryOutlook, type RecoverRules } from "../../domain/plan-recovery.ts";
import { formatDuration } from "../../domain/duration.ts";
import { formatTime, isoTime } from "../../domain/time.ts";
import type { Ports, Recovery } from "../../engine/ports.ts";
import type { JobStatus } from "../../engine/queries.ts";
import { recoveryOf } from "../../engine/recovery-of.ts";

/** What becomes of a job that has vanished, and what was done after its crashes, newest first. */
export type RecoveryStatus = {
  readonly plan: Awaited<ReturnType<typeof recoveryOf>>;
  /** A sentence; `null`: there is nothing to say. */
  readonly outlook: string | null;
  readonly tries: readonly Recovery[];
};

const shown = 5;

export async function recoveryStatus(ports: Ports, { job }: JobStatus, rules: RecoverRules): Promise<RecoveryStatus> {
  const plan = await recoveryOf(ports, job, rules);
  return { plan, outlook: recoveryOutlook(plan, ports.clock.now()), tries: await ports.catalogue.recoveries(job.name, shown) };
}

/** The keys are a promise (`docs/reference/json.md`). */
export function recoveryJson({ plan, outlook, tries }: RecoveryStatus): Record<string, unknown> {
  return {
    plan: plan.type,
    text: outlook,
    ...(plan.type === "restore"
      ? { point: plan.point, time: isoTime(plan.at), attempt: plan.attempt, attempts: plan.attempts }
      : { point: null, time: null, attempt: null, attempts: null }),
    command: plan.type === "ask" ? plan.command : null,
    tries: tries.map(({ at, point, outcome, code, message, lostMilliseconds, milliseconds }) => ({
      time: isoTime(at),
      point,
      outcome,
      code,
      message,
      lostSeconds: seconds(lostMilliseconds),
      milliseconds,
    })),
  };
}

/** `tries`: those of a job that was asked for by its name. */
export function recoveryText(name: string, { outlook, tries }: RecoveryStatus, zone: string, which: "outlook" | "tries"): string[] {
  return [
    ...(outlook === null ? [] : [`${name}: ${outlook}`]),
    ...(which === "outlook" ? [] : tries.map((one) => `${name}: ${formatTime(one.at, zone)} ${tryText(one)}`)),
  ];
}

function tryText({ code, message, outcome, milliseconds }: Recovery): string {
  if (outcome === "restored") return `${message} (${formatDuration(milliseconds)})`;
  return code === null ? message : `${message} [${code}]`;
}

function seconds(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / 1000;
}

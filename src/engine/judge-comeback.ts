import type { Job } from "../domain/job.ts";
import { type ComebackFacts, judgeComeback, type RecoverRules } from "../domain/plan-recovery.ts";
import type { Run } from "../domain/run.ts";
import { Fault } from "../faults/fault.ts";
import { mark } from "./mark.ts";
import { noteRecovery, spanText } from "./note-recovery.ts";
import type { Observation } from "./observe.ts";
import type { Ports } from "./ports.ts";

/** What a restored run was found to say of its point. */
export type Judgement = {
  readonly verdict: NonNullable<ReturnType<typeof judgeComeback>>;
  readonly point: number;
  readonly message: string;
};

/** Plain reading; `null`: nothing new is to be said. The same facts give the same judgement until it is written down. */
export async function judge(ports: Ports, job: Job, { run }: Observation, { settle }: RecoverRules): Promise<Judgement | null> {
  if (run === null || run.from === null) return null;
  const point = await ports.catalogue.generation(job.name, run.from);
  if (point === null) return null;
  const by = (await ports.vault.readBeginning(job.name, run.number))?.by ?? null;
  const facts: ComebackFacts = { run, by, point, intent: job.intent, bootId: ports.host.bootId() };
  const verdict = judgeComeback(facts, settle, ports.clock.now());
  if (verdict === null) return null;
  const message = verdict === "proven" ? `${job.name} lives: point ${run.from} is proven` : diedAgain(job, run).message;
  return { verdict, point: run.from, message };
}

/**
 * Writes the judgement down; the caller holds the job's lease. A crash between leaves the point marked and the try not counted: the
 * next older point is tried one pause too early.
 */
export async function carryOut(ports: Ports, job: Job, { run }: Observation, { verdict, point }: Judgement): Promise<void> {
  if (verdict === "proven") return mark(ports, job.name, point, { provenAt: ports.clock.now() });
  if (run === null || verdict === "withdrawn") return mark(ports, job.name, point, { provenAt: null });
  const { code, message } = diedAgain(job, run);
  await mark(ports, job.name, point, { state: "failed", reason: message, provenAt: null });
  const said = { job: job.name, point, outcome: "failed", code, message, lostMilliseconds: null, milliseconds: 0 } as const;
  await noteRecovery(ports, said);
}

function diedAgain(job: Job, { from, startedAt, endedAt, ending }: Run): Fault {
  const how =
    ending === null
      ? "and left no status"
      : ending.type === "signaled"
        ? `with signal ${ending.signal}`
        : `with status ${ending.status}`;
  const lived = spanText((endedAt ?? startedAt) - startedAt);
  return Fault.of("died-again", { job: job.name, lived, point: from ?? 0, how });
}

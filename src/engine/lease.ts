import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Lease, Ports } from "./ports.ts";

const lifeMilliseconds = 60_000;
const renewMilliseconds = 15_000;
/** These take a moment and happen unasked: nobody is refused because of them. */
const briefVerbs: ReadonlySet<string> = new Set(["tend", "expire"]);
const briefWaitMilliseconds = 10_000;

/**
 * Runs `act` while this process alone may act on the job.
 *
 * A crash leaves the row: the next one to ask finds its owner gone (pid, start time and boot id) and takes it over; the row
 * of a dead worker thread inside a live service runs out after a minute. Fault: `busy`.
 */
export async function withJobLease<T>(ports: Ports, job: JobName, verb: string, act: () => Promise<T>): Promise<T> {
  return withLease(
    ports,
    `job:${job}`,
    verb,
    (holder) => Fault.of("busy", { owner: `process ${holder.owner.pid}`, job, verb: holder.verb }),
    act,
  );
}

/** The same for any name; `refuse` makes the fault when another has it. */
export async function withLease<T>(
  ports: Pick<Ports, "catalogue" | "clock" | "ids" | "processes">,
  name: string,
  verb: string,
  refuse: (holder: Lease) => Fault,
  act: () => Promise<T>,
): Promise<T> {
  const { catalogue, clock, processes } = ports;
  const token = ports.ids.random();
  const patience = clock.monotonic() + briefWaitMilliseconds;
  for (;;) {
    const lease = { name, token, owner: processes.self(), verb, expiresAt: clock.now() + lifeMilliseconds };
    const answer = await catalogue.acquireLease(lease, clock.now(), (owner) => processes.isAlive(owner));
    if (answer.granted) break;
    if (!briefVerbs.has(answer.holder.verb) || briefVerbs.has(verb) || clock.monotonic() > patience) throw refuse(answer.holder);
    await clock.sleep(50);
  }
  const stop = clock.repeat(renewMilliseconds, () => {
    void catalogue.renewLease(name, token, clock.now() + lifeMilliseconds).catch(() => false);
  });
  try {
    return await act();
  } finally {
    stop();
    await catalogue.releaseLease(name, token);
  }
}

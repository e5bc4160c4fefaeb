import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import type { Lease, Ports } from "./ports.ts";

const lifeMilliseconds = 60_000;
const renewMilliseconds = 15_000;
const sayMilliseconds = 1000;
/** Between two questions: at first, and when it takes longer. */
const [soonMilliseconds, laterMilliseconds] = [50, 250];
/** Longer than those: who waits comes first when unasked work gives the lease back for a moment. */
const giveWayMilliseconds = 500;

/** These happen unasked, some of them take long, and all can wait: nobody is refused because of them. */
const waitedFor: ReadonlySet<string> = new Set(["tend", "expire", "verify", "drill", "pack"]);

/**
 * How one asks for a job's lease. `patient`: waits for work that the service does unasked, as long as the limits say, and is refused by any other;
 * `unasked`: is such work itself, and gives up at once; `resuming`: such work that must come to its end (it may have given the lease back half done), and waits for all others.
 */
export type Asking = "patient" | "unasked" | "resuming";

export type HeldLease = {
  /** True if somebody was refused it since it was taken. Not knowing counts as no. */
  isWanted(): Promise<boolean>;
};

/**
 * Runs `act` while this process alone may act on the job. Whoever waits holds nothing, so no two can wait for each other.
 *
 * A crash leaves the row: the next one to ask finds its owner gone (pid, start time and boot id) and takes it over; the row
 * of a dead worker thread inside a live service runs out after a minute. Fault: `busy`.
 */
export async function withJobLease<T>(
  ports: Ports,
  job: JobName,
  verb: string,
  act: (held: HeldLease) => Promise<T>,
  asking: Asking = "patient",
): Promise<T> {
  let [hasSaid, givesWay] = [false, false];
  const meet = (holder: Lease, waited: number): Fault | null => {
    const inTime = waited <= (ports.limits.leaseMilliseconds ?? Infinity);
    const waits = asking === "resuming" || (asking === "patient" && waitedFor.has(holder.verb) && inTime);
    if (!waits) return Fault.of("busy", { owner: `process ${holder.owner.pid}`, job, verb: holder.verb });
    if (waited >= sayMilliseconds && !hasSaid && asking === "patient") {
      hasSaid = true;
      const text = `waiting for the ${holder.verb} that process ${holder.owner.pid} has begun; Ctrl-C ends the waiting`;
      ports.events.emit({ type: "notice", job, text });
    }
    return null;
  };
  const actAndLook = async (held: HeldLease): Promise<T> => {
    try {
      return await act(held);
    } finally {
      givesWay = asking !== "patient" && (await held.isWanted());
    }
  };
  try {
    return await withLease(ports, `job:${job}`, verb, meet, actAndLook);
  } finally {
    if (givesWay) await ports.clock.sleep(giveWayMilliseconds);
  }
}

/** The same for any name; `meet` makes the fault when another has it, or gives `null` to wait on. `waited`: milliseconds. */
export async function withLease<T>(
  ports: Pick<Ports, "catalogue" | "clock" | "ids" | "processes">,
  name: string,
  verb: string,
  meet: (holder: Lease, waited: number) => Fault | null,
  act: (held: HeldLease) => Promise<T>,
): Promise<T> {
  const { catalogue, clock, processes } = ports;
  const token = ports.ids.random();
  const began = clock.monotonic();
  for (;;) {
    const lease = { name, token, owner: processes.self(), verb, expiresAt: clock.now() + lifeMilliseconds };
    const answer = await catalogue.acquireLease(lease, clock.now(), (owner) => processes.isAlive(owner));
    if (answer.granted) break;
    const waited = clock.monotonic() - began;
    const refusal = meet(answer.holder, waited);
    if (refusal !== null) throw refusal;
    await clock.sleep(waited < sayMilliseconds ? soonMilliseconds : laterMilliseconds);
  }
  const stop = clock.repeat(renewMilliseconds, () => {
    void catalogue.renewLease(name, token, clock.now() + lifeMilliseconds).catch(() => false);
  });
  try {
    return await act({ isWanted: () => catalogue.leaseWanted(name, token).catch(() => false) });
  } finally {
    stop();
    // What was done is done, and what failed says why: a row that cannot be taken out (a full disk) goes with its owner, or runs out.
    await catalogue.releaseLease(name, token).catch(passFault);
  }
}

function passFault(error: unknown): void {
  if (!(error instanceof Fault)) throw error;
}

import { describe, expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { takeAll, type TakeOutcome, takeWithin } from "../../../src/engine/take-all.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

type Dump = Machine["ports"]["criu"]["dump"];

/** Jobs that run, begun one minute after the other; a dump of each lasts as long as said, and is ended at its limit. */
async function machineWith(jobs: Readonly<Record<string, number>>): Promise<Machine & { readonly limits: Map<string, number> }> {
  const machine = fakeMachine();
  const limits = new Map<string, number>();
  const { criu, clock } = machine.ports;
  const plain: Dump = criu.dump.bind(criu);
  criu.dump = async (request, whileFrozen) => {
    const limit = request.timeoutSeconds * 1000;
    limits.set(request.job, request.timeoutSeconds);
    const lasts = jobs[request.job] ?? 0;
    await clock.sleep(Math.min(lasts, limit));
    if (lasts > limit) throw Fault.of("dump-timeout", { job: request.job, seconds: String(request.timeoutSeconds), log: "a log" });
    return { ...(await plain(request, whileFrozen)), freezeMicros: lasts * 1000 };
  };
  for (const name of Object.keys(jobs)) {
    await start(machine.ports, aJob(name));
    await clock.sleep(60_000);
  }
  return Object.assign(machine, { limits });
}

const told = (outcomes: readonly TakeOutcome[]) => outcomes.map(({ job, outcome }) => `${job} ${outcome}`);
const within = (machine: Machine, milliseconds: number) => ({
  places: 1,
  deadline: machine.ports.clock.monotonic() + milliseconds,
});

describe("a take of all", () => {
  test("takes every running job once, the most exposed first, and leaves those that do not run alone", async () => {
    const machine = await machineWith({ a: 0, b: 0, c: 0, ended: 0 });
    await machine.ports.catalogue.putJob(aJob("c", { intent: "stopped" }));
    for (const pid of [107, 108]) machine.alive.delete(pid);
    await take(machine.ports, named("a"));
    await machine.ports.clock.sleep(1_000);
    expect(told(await takeAll(machine.ports, { places: 1, deadline: null }))).toEqual(["b took", "a took"]);
  });

  test("begins no take that by the job's own past does not fit, and gives the next its turn", async () => {
    const machine = await machineWith({ slow: 40_000, quick: 1_000 });
    await takeAll(machine.ports, { places: 1, deadline: null });
    const outcomes = await takeAll(machine.ports, within(machine, 30_000));
    expect(told(outcomes)).toEqual(["slow skipped", "quick took"]);
    expect(outcomes[0]).toMatchObject({ predicted: 61_000, left: 30_000 });
    expect(machine.limits.get("quick")).toBe(30);
  });

  test("ends the dump of a job without a past at the deadline, and that job is tried last", async () => {
    const machine = await machineWith({ fresh: 90_000, known: 2_000 });
    await take(machine.ports, named("known"));
    const before = machine.ports.clock.monotonic();
    const outcomes = await takeAll(machine.ports, within(machine, 20_000));
    expect(told(outcomes)).toEqual(["known took", "fresh failed"]);
    expect(outcomes[1]).toMatchObject({ fault: { code: "dump-timeout" } });
    expect(machine.ports.clock.monotonic() - before).toBeLessThanOrEqual(20_000);
  });

  test("goes on to the others when one fails", async () => {
    const machine = await machineWith({ a: 0, b: 0 });
    machine.failing.set("dump", Fault.of("dump-failed", { job: "a", why: "no", log: "a log" }));
    expect(told(await takeAll(machine.ports, { places: 2, deadline: null }))).toEqual(["a failed", "b failed"]);
  });

  test("waits for a job that another is at work on while there is time, and never without a deadline", async () => {
    const machine = await machineWith({ a: 0 });
    const { catalogue, clock } = machine.ports;
    machine.alive.add(77);
    const lease = { name: "job:a", token: "t", owner: identity(77), verb: "restore", expiresAt: clock.now() + 3_600_000 };
    await catalogue.acquireLease(lease, clock.now(), () => true);
    expect(await takeAll(machine.ports, { places: 1, deadline: null })).toMatchObject([
      { outcome: "failed", fault: { code: "busy" } },
    ]);
    expect(await takeAll(machine.ports, within(machine, 5_000))).toMatchObject([{ outcome: "failed", fault: { code: "busy" } }]);
    const until = clock.monotonic() + 2_000;
    machine.onSleep = async (now) => {
      if (now >= until) await catalogue.releaseLease("job:a", "t");
    };
    expect(told(await takeAll(machine.ports, within(machine, 5_000)))).toEqual(["a took"]);
  });

  test("a take of one job by its name keeps to the same rule", async () => {
    const machine = await machineWith({ slow: 40_000 });
    await take(machine.ports, named("slow"));
    const { clock } = machine.ports;
    expect(await takeWithin(machine.ports, aJob("slow"), clock.monotonic() + 10_000)).toMatchObject({ outcome: "skipped" });
    expect(await takeWithin(machine.ports, aJob("slow"), clock.monotonic() + 90_000)).toMatchObject({ outcome: "took" });
  });
});

import { expect, test } from "vitest";
import type { Job } from "../../../src/domain/job.ts";
import { reconcile } from "../../../src/engine/reconcile.ts";
import { recover } from "../../../src/engine/recover.ts";
import { recoveryOf } from "../../../src/engine/recovery-of.ts";
import { restore } from "../../../src/engine/restore.ts";
import { adopt, start } from "../../../src/engine/start.ts";
import { stop } from "../../../src/engine/stop.ts";
import { take } from "../../../src/engine/take.ts";
import { tend } from "../../../src/engine/tend.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const rules = { delay: 5_000, settle: 60_000, attempts: 3 };
const latest = { target: { type: "latest" }, running: "refuse", onFailure: "stop" } as const;
const restoreFailed = () => Fault.of("restore-failed", { point: 3, job: "lj", why: "it said no", log: "a log", other: "N" });

/** A job with three points, taken a minute apart, that has just vanished, which was written down. */
async function vanished(change: Partial<Job> = {}): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj", { onCrash: "restore", ...change }));
  for (let count = 0; count < 3; count++) {
    await machine.ports.clock.sleep(60_000);
    await take(machine.ports, lj);
  }
  await die(machine, 20_000);
  return machine;
}

/** The job lives so long, and is gone; `signal`: its init has the time to write that down. */
async function die(machine: Machine, lived: number, signal?: number): Promise<void> {
  await machine.ports.clock.sleep(lived);
  const run = (await machine.ports.catalogue.runs(lj)).at(-1)!;
  if (signal !== undefined) {
    machine.endings.set(`/vault/runs/${run.number}`, { type: "signaled", signal });
    machine.endedAt.set(`/vault/runs/${run.number}`, machine.ports.clock.now());
  }
  for (const pid of machine.alive) if (pid > 100) machine.alive.delete(pid);
  await tend(machine.ports, "ended", rules);
}

/** Waits until the next try is due, and makes it. */
async function next(machine: Machine) {
  const { ports } = machine;
  const plan = await recoveryOf(ports, (await ports.catalogue.job(lj))!, rules);
  if (plan.type !== "restore") return plan;
  await ports.clock.sleep(plan.at - ports.clock.now());
  return recover(ports, lj, rules);
}

const lives = (machine: Machine) => [...machine.alive].some((pid) => pid > 100);
const tries = async (machine: Machine) =>
  (await machine.ports.catalogue.recoveries(lj, 99)).map(
    ({ point, outcome, code }) => `${point} ${outcome}${code ? ` ${code}` : ""}`,
  );
const states = async (machine: Machine) =>
  (await machine.ports.catalogue.generations(lj)).map(({ number, state }) => `${number} ${state}`);
const told = (machine: Machine) => machine.notices.flatMap(({ event, point }) => (event === "took" ? [] : [`${event} ${point}`]));

test("a job that vanished comes back from its newest point, not before its time, on a new timeline, and what was lost is told", async () => {
  const machine = await vanished();
  const { ports } = machine;
  expect(await recover(ports, lj, rules)).toBeNull();
  expect(await next(machine)).toMatchObject({ point: 3, fault: null, lost: 20_000, run: { number: 2, timeline: 2, from: 3 } });
  expect(lives(machine)).toBe(true);
  expect(await tries(machine)).toEqual(["3 restored"]);
  expect(await ports.catalogue.recoveries(lj, 9)).toMatchObject([{ lostMilliseconds: 20_000 }]);
  expect(told(machine)).toEqual(["crashed 3", "restored 3"]);
  expect(machine.notices.find(({ event }) => event === "crashed")?.message).toBe("lj vanished; 20s of work are lost since point 3");
  expect(await recover(ports, lj, rules)).toBeNull();
});

test("the point is proven when the job has lived for a while, once, and not before", async () => {
  const machine = await vanished();
  await next(machine);
  const proven = async () => (await machine.ports.catalogue.generations(lj)).at(-1)?.provenAt ?? null;
  expect(await tend(machine.ports, "ended", rules)).toEqual([]);
  expect(await proven()).toBeNull();
  await machine.ports.clock.sleep(60_000);
  expect(await tend(machine.ports, "ended", rules)).toMatchObject([{ event: "settled", state: "running" }]);
  expect(await proven()).not.toBeNull();
  expect(await tend(machine.ports, "ended", rules)).toEqual([]);
});

test("a point that does not come back is marked failed, the next older one is tried, and then a person is asked", async () => {
  const machine = await vanished();
  machine.failing.set("bring back", restoreFailed());
  for (const point of [3, 2, 1]) expect(await next(machine)).toMatchObject({ point, run: null, fault: { code: "restore-failed" } });
  expect(await next(machine)).toMatchObject({ type: "ask" });
  expect(await states(machine)).toEqual(["1 failed", "2 failed", "3 failed"]);
  expect(machine.steps.filter((step) => step === "bring back")).toHaveLength(3);
  machine.failing.clear();
  // By its number a failed one may be tried all the same, and is offered again when it comes back.
  await expect(restore(machine.ports, lj, latest)).rejects.toMatchObject({ code: "no-points" });
  await restore(machine.ports, lj, { ...latest, target: { type: "point", number: 2 } });
  expect(await states(machine)).toEqual(["1 failed", "2 sealed", "3 failed"]);
  expect((await machine.ports.catalogue.generations(lj))[1]?.reason).toContain("the pages changed since");
});

test("a person's restore gives the service its tries back", async () => {
  const machine = await vanished();
  machine.failing.set("bring back", Fault.of("space-short", { place: "/work", free: "1", needed: "2" }));
  for (let count = 0; count < 3; count++) await next(machine);
  expect(await next(machine)).toMatchObject({ type: "ask" });
  expect(await states(machine)).toEqual(["1 sealed", "2 sealed", "3 sealed"]);
  machine.failing.clear();
  await restore(machine.ports, lj, latest);
  await die(machine, 1_000_000);
  expect(await next(machine)).toMatchObject({ point: 3, fault: null });
});

test.each([
  ["with a signal, which its init wrote down", 11],
  ["without a trace", undefined],
])(
  "a job that dies just after it came back %s makes its point failed, and the older one is tried; the tries are bounded",
  async (_, signal) => {
    const machine = await vanished();
    for (const point of [3, 2, 1]) {
      expect(await next(machine)).toMatchObject({ point, fault: null });
      await die(machine, 12_000, signal);
    }
    expect(await next(machine)).toMatchObject({ type: "ask" });
    expect(await states(machine)).toEqual(["1 failed", "2 failed", "3 failed"]);
    const reason = (await machine.ports.catalogue.generations(lj)).at(-1)?.reason;
    expect(reason).toBe(
      `lj died 12s after it came back from point 3, ${signal === undefined ? "and left no status" : "with signal 11"}`,
    );
    expect((await tries(machine)).slice(0, 2)).toEqual(["1 failed died-again", "1 restored"]);
  },
);

test("a job that goes down with the machine just after it came back marks nothing, and comes back from the same point", async () => {
  const machine = await vanished();
  await next(machine);
  machine.reboot();
  await die(machine, 12_000);
  expect(await states(machine)).toEqual(["1 sealed", "2 sealed", "3 sealed"]);
  expect(await next(machine)).toMatchObject({ point: 3, fault: null });
});

test("what the machine's shutdown ended did not end by itself", async () => {
  const machine = await vanished();
  await next(machine);
  await machine.ports.clock.sleep(100_000);
  machine.reboot();
  await die(machine, 0, 15);
  expect(await next(machine)).toMatchObject({ point: 3, fault: null });
});

test("a signal that a shutdown sends is not written down as the job's own end before it is known that there is none", async () => {
  const machine = await vanished();
  const { ports } = machine;
  await next(machine);
  await die(machine, 100_000, 15);
  expect((await ports.catalogue.runs(lj)).at(-1)?.endedAt).toBeNull();
  await ports.clock.sleep(31_000);
  expect(await tend(ports, "ended", rules)).toMatchObject([{ event: "run-ended", state: "failed" }, { event: "settled" }]);
  expect((await ports.catalogue.runs(lj)).at(-1)).toMatchObject({ ending: { type: "signaled", signal: 15 } });
  expect(await next(machine)).toEqual({ type: "none", lost: null });
});

test("the loss of a power cut is counted up to the service's last look, not up to the next boot", async () => {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj", { onCrash: "restore" }));
  await take(machine.ports, lj);
  await machine.ports.clock.sleep(15_000);
  await tend(machine.ports, "ended", rules);
  machine.reboot();
  await die(machine, 8 * 3_600_000);
  expect(machine.notices.at(-1)).toMatchObject({ event: "crashed", message: "lj vanished; 15s of work are lost since point 1" });
});

test("a job that was stopped, that has ended, or whose owner wants to be asked stays where it is", async () => {
  const stopped = await vanished();
  await next(stopped);
  stopped.onSleep = () => undefined;
  await stop(stopped.ports, lj, { last: "no-take", how: "ask" });
  expect(await next(stopped)).toMatchObject({ type: "none" });
  expect(await recover(stopped.ports, lj, rules)).toBeNull();
  const ask = await vanished({ onCrash: "ask" });
  expect(await next(ask)).toMatchObject({ type: "ask", why: "on-crash is ask", command: "holdfast restore lj" });
  expect(lives(ask)).toBe(false);
});

test("a recovery that a crash cut off is undone and counts as a try; one that had come to life is known with its point", async () => {
  const machine = await vanished();
  const { ports } = machine;
  const folder = await ports.vault.runFolder(lj, 2);
  await ports.vault.writeBeginning(lj, 2, { from: 3, at: ports.clock.now(), by: "service" });
  await reconcile(ports, aJob("lj"));
  expect(await tries(machine)).toEqual(["3 failed restore-cut-off"]);
  await ports.vault.writeBeginning(lj, 2, { from: 3, at: ports.clock.now(), by: "service" });
  await ports.launcher.launch({ job: aJob("lj"), runFolder: folder });
  await reconcile(ports, aJob("lj"));
  expect((await ports.catalogue.runs(lj)).at(-1)).toMatchObject({ number: 2, from: 3, endedAt: null });
  expect(await tries(machine)).toEqual(["3 restored", "3 failed restore-cut-off"]);
});

test("while another is at work on the job nothing is tried, and that is no try", async () => {
  const machine = await vanished();
  const { ports } = machine;
  await ports.clock.sleep(10_000);
  const lease = { name: "job:lj", token: "theirs", owner: identity(10), verb: "take", expiresAt: ports.clock.now() + 60_000 };
  await ports.catalogue.acquireLease(lease, ports.clock.now(), () => true);
  expect(await recover(ports, lj, rules)).toBeNull();
  expect(await tries(machine)).toEqual([]);
});

test("a tree that was taken on while it ran is not brought back where it may have ended by itself, also after a later reboot", async () => {
  const machine = fakeMachine();
  const { ports } = machine;
  machine.alive.add(200);
  await adopt(ports, aJob("lj", { origin: "adopted", onCrash: "restore" }), identity(200));
  await take(ports, lj);
  await die(machine, 1_000);
  expect(await next(machine)).toMatchObject({ type: "ask" });
  machine.reboot();
  expect(await next(machine)).toMatchObject({ type: "ask" });
  await restore(ports, lj, latest);
  await die(machine, 100_000);
  expect(await next(machine)).toMatchObject({ point: 1, fault: null });
});

test("a tree that was taken on and went down with the machine comes back", async () => {
  const machine = fakeMachine();
  machine.alive.add(200);
  await adopt(machine.ports, aJob("lj", { origin: "adopted", onCrash: "restore" }), identity(200));
  await take(machine.ports, lj);
  machine.reboot();
  await die(machine, 1_000);
  expect(await next(machine)).toMatchObject({ point: 1, fault: null });
});

test("after going back on purpose the service does not undo it: the points left behind are left", async () => {
  const machine = await vanished();
  await restore(machine.ports, lj, { ...latest, target: { type: "point", number: 1 } });
  await die(machine, 100_000);
  expect(await next(machine)).toMatchObject({ point: 1, run: { from: 1 }, lost: 100_000 });
});

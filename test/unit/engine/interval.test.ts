import { expect, test } from "vitest";
import type { Job } from "../../../src/domain/job.ts";
import { planTick } from "../../../src/domain/plan-tick.ts";
import { fixedSchedule } from "../../../src/domain/schedule.ts";
import { advise } from "../../../src/engine/advise.ts";
import { changeJob } from "../../../src/engine/change-job.ts";
import { status } from "../../../src/engine/queries.ts";
import { rebuild } from "../../../src/engine/rebuild.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { watchExposure } from "../../../src/engine/watch-exposure.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, aRun, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const lj = named("lj");

/** Each dump freezes for so many milliseconds. */
async function running(freeze: number, change: Partial<Job> = {}): Promise<Machine> {
  const machine = fakeMachine();
  const { criu } = machine.ports;
  const dump = criu.dump.bind(criu);
  criu.dump = async (request, whileFrozen) => ({ ...(await dump(request, whileFrozen)), freezeMicros: freeze * 1000 });
  await start(machine.ports, aJob("lj", { schedule: { type: "auto" }, exposureLimit: "auto", ...change }));
  return machine;
}

async function dueOf({ ports }: Machine): Promise<{ in: number; interval: number | null }> {
  const [due] = await ports.catalogue.dues();
  return { in: (due?.due ?? 0) - ports.clock.now(), interval: due?.interval ?? null };
}

test("the first generation falls due after the shortest interval, the next by what it cost", async () => {
  const machine = await running(410);
  const first = await dueOf(machine);
  expect(first.interval).toBe(minute);
  expect(first.in).toBeLessThanOrEqual(1.1 * minute);
  await take(machine.ports, lj);
  const second = await dueOf(machine);
  expect(second.interval).toBe(25 * minute);
  expect(second.in).toBeGreaterThanOrEqual(2.5 * minute);
  expect(second.in).toBeLessThanOrEqual(1.1 * 25 * minute);
});

test("takes that fail before any cost is known are tried more and more seldom", async () => {
  const machine = await running(410);
  machine.failing.set("dump", Fault.of("dump-failed", { job: "lj", why: "it said no", log: "a log" }));
  const intervals: (number | null)[] = [];
  for (let tries = 0; tries < 3; tries += 1) {
    await expect(take(machine.ports, lj)).rejects.toThrow();
    intervals.push((await dueOf(machine)).interval);
  }
  expect(intervals).toEqual([2 * minute, 4 * minute, 8 * minute]);
});

test("an interval that stays leaves the next due time where it is, a cost that grows moves it out", async () => {
  const machine = await running(410);
  await take(machine.ports, lj);
  const before = await dueOf(machine);
  await take(machine.ports, lj);
  expect(await dueOf(machine)).toEqual(before);
  const { criu } = machine.ports;
  const dump = criu.dump.bind(criu);
  criu.dump = async (request, whileFrozen) => ({ ...(await dump(request, whileFrozen)), freezeMicros: 41_000_000 });
  for (let takes = 0; takes < 5; takes += 1) await take(machine.ports, lj);
  expect((await dueOf(machine)).interval).toBeGreaterThan(25 * minute);
});

test("crashes that were seen shorten it", async () => {
  const machine = await running(410);
  await take(machine.ports, lj);
  const { catalogue } = machine.ports;
  // Of another job: what fails is the machine.
  await catalogue.putJob(aJob("other", { intent: "retired" }));
  for (let number = 1; number <= 30; number += 1)
    await catalogue.putRun(named("other"), aRun(number, { startedAt: 0, endedAt: hour, ending: null }));
  await take(machine.ports, lj);
  const { interval } = await dueOf(machine);
  expect(interval).toBeLessThan(6 * minute);
  expect((await advise(machine.ports, lj)).plan.failures).toMatchObject({ failures: 30, mtbf: (30 * day + 30 * hour) / 31 });
});

test("the limit auto of the exposure follows the interval", async () => {
  const machine = await running(410);
  const limit = async () => (await status(machine.ports, lj))[0]?.exposureLimit;
  expect(await limit()).toBe(3 * minute);
  await take(machine.ports, lj);
  expect(await limit()).toBe(75 * minute);
  await machine.ports.clock.sleep(74 * minute);
  expect([...(await watchExposure(machine.ports, new Set()))]).toEqual([]);
  await machine.ports.clock.sleep(2 * minute);
  expect([...(await watchExposure(machine.ports, new Set()))]).toEqual(["lj"]);
  expect(machine.notices.at(-1)).toMatchObject({ event: "exposure-over", message: expect.stringContaining("the limit is 1h15m") });
});

test("after a rebuild the interval is planned anew by the next take, from what the manifests say", async () => {
  const machine = await running(410);
  await take(machine.ports, lj);
  await rebuild(machine.ports);
  expect(await machine.ports.catalogue.dues()).toEqual([]);
  expect((await status(machine.ports, lj))[0]).toMatchObject({ nextDue: null, interval: null, exposureLimit: null });
  // As the service does at its next look.
  const schedule = fixedSchedule({ type: "auto" }, machine.ports.interval.minEvery);
  const now = machine.ports.clock.now();
  const [next] = planTick([{ job: lj, schedule, due: null, underway: false }], now, 1).dues;
  expect(next?.due).toBeLessThanOrEqual(now + 1.1 * minute);
  await take(machine.ports, lj);
  expect((await dueOf(machine)).interval).toBe(25 * minute);
});

test("a job is changed to auto and back, and is due by what is said last", async () => {
  const machine = await running(410, { schedule: { type: "every", milliseconds: 10 * minute } });
  await take(machine.ports, lj);
  expect((await dueOf(machine)).interval).toBeNull();
  await changeJob(machine.ports, lj, (job) => ({ ...job, schedule: { type: "auto" } }));
  expect((await dueOf(machine)).interval).toBe(25 * minute);
  await changeJob(machine.ports, lj, (job) => ({ ...job, schedule: { type: "every", milliseconds: 10 * minute } }));
  const { in: next, interval } = await dueOf(machine);
  expect(interval).toBeNull();
  expect(next).toBeLessThanOrEqual(11 * minute);
});

test("what cannot be planned hides no take: the point stands", async () => {
  const machine = await running(410);
  machine.ports.catalogue.putDue = async () => {
    throw Fault.of("catalogue-damaged", { file: "/c", why: "torn" });
  };
  expect((await take(machine.ports, lj)).generation.number).toBe(1);
  expect(machine.events).toContainEqual(expect.objectContaining({ type: "notice", text: expect.stringContaining("interval") }));
});

test("an advice tells for a day, a week and thirty days, for this machine, and what half the freeze would buy", async () => {
  const machine = await running(410, { schedule: { type: "every", milliseconds: 10 * minute } });
  expect(await advise(machine.ports, lj)).toMatchObject({ rows: [], own: null, now: null, plan: { every: minute } });
  await take(machine.ports, lj);
  const { rows, own, now } = await advise(machine.ports, lj);
  expect(rows.map(({ mtbf, best }) => [mtbf / day, best.every / minute])).toEqual([
    [1, 4],
    [7, 12],
    [30, 25],
  ]);
  expect(own?.shorterFreeze.every).toBeLessThan(own?.best.every ?? 0);
  expect(now).toMatchObject({ every: 10 * minute });
  expect(now?.overhead).toBeGreaterThan(own?.best.overhead ?? 1);
  expect(now?.loss).toBeLessThan(own?.best.loss ?? 0);
});

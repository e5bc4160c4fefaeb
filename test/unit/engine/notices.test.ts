import { expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { takeDue } from "../../../src/engine/take-due.ts";
import { watchExposure } from "../../../src/engine/watch-exposure.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");

async function running(exposureLimit: number | null = null): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj", { exposureLimit }));
  return machine;
}

test("a take is told of when it can be found, and not before", async () => {
  const machine = await running();
  const { catalogue, notices } = machine.ports;
  const found: number[] = [];
  notices.tell = async (notice) => {
    machine.notices.push(notice);
    found.push((await catalogue.generations(lj)).length, (await catalogue.attempts(lj, 9)).length);
  };
  await take(machine.ports, lj);
  expect(machine.notices).toMatchObject([{ event: "took", job: "lj", point: 1, code: null }]);
  expect(found).toEqual([1, 1]);
});

test("a take that fails is told of with its fault, one that was not tried is not", async () => {
  const machine = await running();
  machine.failing.set("dump", Fault.of("dump-failed", { job: "lj", why: "it said no", log: "a log" }));
  await expect(take(machine.ports, lj)).rejects.toThrow();
  expect(machine.notices).toMatchObject([{ event: "failed", job: "lj", point: null, code: "dump-failed" }]);
  machine.alive.clear();
  await expect(take(machine.ports, lj)).rejects.toMatchObject({ code: "not-running" });
  expect(machine.notices.filter(({ event }) => event === "failed")).toHaveLength(1);
});

test("a generation that fell due while another was at work is told of as missed", async () => {
  const machine = await running();
  const { catalogue, clock } = machine.ports;
  machine.alive.add(77);
  const lease = { name: "job:lj", token: "t", owner: identity(77), verb: "restore", expiresAt: clock.now() + 60_000 };
  await catalogue.acquireLease(lease, 0, () => true);
  await expect(takeDue(machine.ports, lj)).rejects.toMatchObject({ code: "busy" });
  expect(machine.notices).toMatchObject([{ event: "missed", job: "lj", code: "busy" }]);
});

test("an exposure over its limit is told of once, and again only after it has been under it", async () => {
  const machine = await running(60_000);
  const { ports } = machine;
  let over = await watchExposure(ports, new Set());
  const after = async (milliseconds: number) => {
    await ports.clock.sleep(milliseconds);
    over = await watchExposure(ports, over);
    return machine.notices.filter(({ event }) => event === "exposure-over").length;
  };
  expect(await after(60_000)).toBe(0);
  expect(await after(1_000)).toBe(1);
  expect(await after(15_000)).toBe(1);
  await take(ports, lj);
  expect(await after(15_000)).toBe(1);
  expect(await after(60_000)).toBe(2);
  expect(machine.notices.at(-1)).toMatchObject({ point: 1, message: "1m15s of work are at risk, the limit is 1m" });
});

test("no exposure is told of for a job without a limit, one that was stopped, or one that has ended unseen", async () => {
  const machine = await running(null);
  await start(machine.ports, aJob("ended", { exposureLimit: 1 }));
  await start(machine.ports, aJob("stopped", { exposureLimit: 1 }));
  await machine.ports.catalogue.putJob(aJob("stopped", { exposureLimit: 1, intent: "stopped" }));
  for (const pid of [103, 104]) machine.alive.delete(pid);
  await machine.ports.clock.sleep(3_600_000);
  expect([...(await watchExposure(machine.ports, new Set()))]).toEqual([]);
  expect(machine.notices).toEqual([]);
});

test("while all is well the watch looks at no process", async () => {
  const machine = await running(60_000);
  machine.ports.processes.isAlive = () => {
    throw new Error("it looked");
  };
  expect([...(await watchExposure(machine.ports, new Set()))]).toEqual([]);
});

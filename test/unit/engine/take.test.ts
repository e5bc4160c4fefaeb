import { expect, test } from "vitest";
import { retire } from "../../../src/engine/retire.ts";
import { start } from "../../../src/engine/start.ts";
import { status } from "../../../src/engine/queries.ts";
import { take } from "../../../src/engine/take.ts";
import { takeDue } from "../../../src/engine/take-due.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const dumpFailed = () => Fault.of("dump-failed", { job: "lj", why: "it said no", log: "a log" });

async function running(): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj"));
  machine.steps.length = 0;
  return machine;
}

test("the dirty bits count as unknown from before the dump until after the seal", async () => {
  const machine = await running();
  await take(machine.ports, lj);
  expect(machine.steps).toEqual(["write head 1 unknown", "prepare 1", "dump", "capture", "thin", "seal 1", "write head 1 known"]);
  expect((await machine.ports.catalogue.generations(lj)).map(({ number, kind }) => ({ number, kind }))).toEqual([
    { number: 1, kind: "base" },
  ]);
  expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 2, kind: "increment", parent: 1 });
});

test.each(["dump", "capture", "thin", "seal 2"])(
  "a take that fails at %s leaves no row, is noted, and the next is a base with a number of its own",
  async (step) => {
    const machine = await running();
    await take(machine.ports, lj);
    machine.failing.set(step, dumpFailed());
    await expect(take(machine.ports, lj)).rejects.toMatchObject({ code: "dump-failed", stillGood: "newest point still good: #1" });
    expect(machine.steps).toContain("discard 2");
    expect(machine.steps).not.toContain("write head 2 known");
    expect((await machine.ports.catalogue.generations(lj)).map(({ number }) => number)).toEqual([1]);
    expect(await machine.ports.catalogue.attempts(lj, 1)).toMatchObject([{ outcome: "failed", code: "dump-failed", point: null }]);
    expect((await status(machine.ports, lj))[0]).toMatchObject({ lastFault: { code: "dump-failed" }, points: 1 });
    machine.failing.clear();
    expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 3, kind: "base", parent: null });
    expect((await status(machine.ports, lj))[0]).toMatchObject({ lastFault: null, points: 2 });
  },
);

test("a crash after the seal loses nothing: the next look lists the point", async () => {
  const machine = await running();
  machine.failing.set("write head 1 known", new Error("killed"));
  await expect(take(machine.ports, lj)).rejects.toThrow("killed");
  machine.failing.clear();
  expect(await machine.ports.catalogue.generations(lj)).toEqual([]);
  expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 2, kind: "base" });
  expect((await machine.ports.catalogue.generations(lj)).map(({ number }) => number)).toEqual([1, 2]);
});

test("the service's take that finds another at work is missed, not failed; asked for by hand it is only refused", async () => {
  const machine = await running();
  const { catalogue, clock } = machine.ports;
  machine.alive.add(77);
  await catalogue.acquireLease(
    { name: "job:lj", token: "t", owner: identity(77), verb: "restore", expiresAt: clock.now() + 60_000 },
    0,
    () => true,
  );
  await expect(take(machine.ports, lj)).rejects.toMatchObject({ code: "busy" });
  expect(await catalogue.attempts(lj, 9)).toEqual([]);
  await expect(takeDue(machine.ports, lj)).rejects.toMatchObject({ code: "busy" });
  expect(await catalogue.attempts(lj, 9)).toMatchObject([{ outcome: "missed", count: 1 }]);
  expect((await status(machine.ports, lj))[0]).toMatchObject({ missed: 1, lastFault: null });
});

test("the service's take of a job that was retired a moment ago is not made", async () => {
  const machine = await running();
  await take(machine.ports, lj);
  await retire(machine.ports, lj, "keep");
  await expect(takeDue(machine.ports, lj)).rejects.toMatchObject({ code: "not-running" });
  expect(await machine.ports.catalogue.generations(lj)).toHaveLength(1);
});

test("a job that does not run is refused, and that is no failed take", async () => {
  const machine = await running();
  for (const pid of [101, 102]) machine.alive.delete(pid);
  await expect(take(machine.ports, lj)).rejects.toMatchObject({ code: "not-running" });
  expect((await status(machine.ports, lj))[0]).toMatchObject({ state: "crashed", lastFault: null });
});

test("a take whose record and lease cannot be written is a take, or fails for its own reason", async () => {
  const full = async () => Promise.reject(Fault.of("vault-full", { place: "the catalogue" }));
  const withoutRoom = ({ ports }: Machine) => ({
    ...ports,
    catalogue: { ...ports.catalogue, putAttempt: full, releaseLease: full },
  });
  expect((await take(withoutRoom(await running()), lj)).generation).toMatchObject({ number: 1 });
  const machine = await running();
  machine.failing.set("dump", dumpFailed());
  await expect(take(withoutRoom(machine), lj)).rejects.toMatchObject({ code: "dump-failed" });
});

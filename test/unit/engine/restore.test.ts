import { expect, test } from "vitest";
import type { Damage } from "../../../src/engine/ports.ts";
import { status } from "../../../src/engine/queries.ts";
import { reconcile } from "../../../src/engine/reconcile.ts";
import { restore } from "../../../src/engine/restore.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const latest = { target: { type: "latest" }, running: "refuse", onFailure: "stop" } as const;
const restoreFailed = () => Fault.of("restore-failed", { point: 2, job: "lj", why: "it said no", log: "a log", other: "1" });
const full = () => Fault.of("vault-full", { place: "the vault" });

/** A job with two points, running; `crash` ends it. */
async function withPoints(damage: readonly Damage[] = []): Promise<Machine> {
  const machine = fakeMachine(damage);
  await start(machine.ports, aJob("lj"));
  await take(machine.ports, lj);
  await take(machine.ports, lj);
  return machine;
}

function crash(machine: Machine): void {
  for (const pid of machine.alive) if (pid > 100) machine.alive.delete(pid);
  machine.steps.length = 0;
}

const lives = (machine: Machine): readonly number[] => [...machine.alive].filter((pid) => pid > 100);

test("files go back before memory, and the new run has a number and a timeline of its own", async () => {
  const machine = await withPoints();
  crash(machine);
  const { run, point } = await restore(machine.ports, lj, latest);
  expect({ point: point.number, run: run.number, timeline: run.timeline, from: run.from }).toEqual({
    point: 2,
    run: 2,
    timeline: 2,
    from: 2,
  });
  expect(machine.steps.indexOf("put back")).toBeLessThan(machine.steps.indexOf("bring back"));
  expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 3, kind: "base", timeline: 2 });
});

test("when the memory does not come back the files are undone, and there is no new run", async () => {
  const machine = await withPoints();
  crash(machine);
  machine.failing.set("bring back", restoreFailed());
  await expect(restore(machine.ports, lj, latest)).rejects.toMatchObject({
    code: "restore-failed",
    stillGood: "point #1 is still good",
  });
  expect(machine.steps.slice(machine.steps.indexOf("put back"))).toEqual([
    "put back",
    "bring back",
    "abandon /vault/runs/2",
    "undo /vault/undo/2",
    "remove run folder 2",
  ]);
  expect((await machine.ports.catalogue.runs(lj)).map(({ number }) => number)).toEqual([1]);
});

test("a run that the catalogue cannot be told of is ended, its files are undone, and no row speaks of it", async () => {
  const machine = await withPoints();
  crash(machine);
  const { catalogue } = machine.ports;
  const putRun: typeof catalogue.putRun = async (job, run) =>
    run.number === 2 ? Promise.reject(full()) : catalogue.putRun(job, run);
  const told = { ...machine.ports, catalogue: { ...catalogue, putRun } };
  await expect(restore(told, lj, latest)).rejects.toMatchObject({ code: "vault-full" });
  expect(lives(machine)).toEqual([]);
  expect(machine.steps).toContain("undo /vault/undo/2");
  const { observation, repairs } = await reconcile(machine.ports, aJob("lj"));
  expect(observation).toMatchObject({ state: "crashed", run: { number: 1 } });
  expect(repairs).toEqual([]);
});

test("a run that is written down and missing in the catalogue is listed: its job is not brought back twice", async () => {
  const machine = await withPoints();
  crash(machine);
  const { catalogue } = machine.ports;
  // The restore is killed between the record and the row.
  const never: typeof catalogue.putRun = async (job, run) =>
    run.number === 2 ? new Promise<void>(() => undefined) : catalogue.putRun(job, run);
  void restore({ ...machine.ports, catalogue: { ...catalogue, putRun: never } }, lj, latest);
  while (!machine.steps.includes("write run 2")) await new Promise(setImmediate);
  await new Promise(setImmediate);
  const { observation, repairs } = await reconcile(machine.ports, aJob("lj"));
  expect(repairs).toEqual(["listed run 2, which the catalogue did not know"]);
  expect(observation).toMatchObject({ state: "running", run: { number: 2 } });
});

test("a run that came back and cannot be written down is ended before its files are undone", async () => {
  const machine = await withPoints();
  crash(machine);
  machine.failing.set("write run 2", full());
  await expect(restore(machine.ports, lj, latest)).rejects.toMatchObject({ code: "vault-full" });
  expect(lives(machine)).toEqual([]);
  expect(machine.steps.indexOf("abandon /vault/runs/2")).toBeLessThan(machine.steps.indexOf("undo /vault/undo/2"));
});

test("a run that came back is kept, though its point cannot be marked proven", async () => {
  const machine = await withPoints();
  crash(machine);
  machine.failing.set("write marks", full());
  expect((await restore(machine.ports, lj, latest)).run.number).toBe(2);
  expect(lives(machine)).toHaveLength(2);
  expect(machine.events).toContainEqual(
    expect.objectContaining({ type: "notice", text: expect.stringContaining("not marked proven") }),
  );
});

test("what a killed restore left is ended, then undone; a run that came to life is written down", async () => {
  const machine = await withPoints();
  crash(machine);
  await machine.ports.vault.runFolder(lj, 2);
  await reconcile(machine.ports, aJob("lj"));
  expect(machine.steps.filter((step) => !step.startsWith("write run 1"))).toEqual([
    "abandon /vault/runs/2",
    "undo /vault/undo/2",
    "remove run folder 2",
  ]);
  const folder = await machine.ports.vault.runFolder(lj, 3);
  await machine.ports.launcher.launch({ job: aJob("lj"), runFolder: folder });
  await reconcile(machine.ports, aJob("lj"));
  expect((await status(machine.ports, lj))[0]).toMatchObject({ state: "running", run: { number: 3 } });
});

test("a running job is refused; replaced, it is ended only when a sound point is known", async () => {
  const damage = [{ number: 2, file: "pages-1.img", why: "short" }];
  const machine = await withPoints(damage);
  await expect(restore(machine.ports, lj, latest)).rejects.toMatchObject({ code: "still-running" });
  const before = lives(machine);
  await expect(restore(machine.ports, lj, { ...latest, running: "replace" })).rejects.toMatchObject({ code: "point-damaged" });
  expect(lives(machine)).toEqual(before);
  machine.steps.length = 0;
  const report = await restore(machine.ports, lj, { ...latest, running: "replace", onFailure: "fall-back" });
  expect(report.point.number).toBe(1);
  expect(machine.steps.indexOf("seal 3")).toBeLessThan(machine.steps.indexOf(`SIGTERM ${before[0]}`));
  expect(machine.steps.indexOf("seal 3")).toBeGreaterThan(-1);
});

test("with --fallback the next older point is tried and the passed over are told", async () => {
  const machine = await withPoints([{ number: 2, file: "pages-1.img", why: "short" }]);
  crash(machine);
  const report = await restore(machine.ports, lj, { ...latest, onFailure: "fall-back" });
  expect(report).toMatchObject({ point: { number: 1 }, passedOver: [{ number: 2, why: expect.stringContaining("short") }] });
  expect((await status(machine.ports, lj))[0]).toMatchObject({ points: 1 });
});

test("a launch that cannot be written down leaves nothing running and the name free", async () => {
  const machine = fakeMachine();
  machine.failing.set("write run 1", full());
  await expect(start(machine.ports, aJob("lj"))).rejects.toMatchObject({ code: "vault-full" });
  expect(lives(machine)).toEqual([]);
  expect(await status(machine.ports, null)).toEqual([]);
  machine.failing.clear();
  expect((await start(machine.ports, aJob("lj"))).number).toBe(1);
});

test("a restore that a process of the job raced is tried once more, with the files put back anew", async () => {
  const machine = await withPoints();
  crash(machine);
  const { launcher } = machine.ports;
  let tries = 0;
  const raced = (often: number): typeof launcher => ({
    ...launcher,
    async bringBack(request) {
      if ((tries += 1) <= often)
        throw Fault.of("restore-raced", { point: 1, job: "lj", why: "302 ended", log: "a log", other: "N" });
      return launcher.bringBack(request);
    },
  });
  await expect(restore({ ...machine.ports, launcher: raced(2) }, lj, latest)).rejects.toMatchObject({ code: "restore-raced" });
  tries = 0;
  machine.steps.length = 0;
  await restore({ ...machine.ports, launcher: raced(1) }, lj, latest);
  expect(machine.steps.filter((step) => step === "put back")).toHaveLength(2);
  expect(tries).toBe(2);
});

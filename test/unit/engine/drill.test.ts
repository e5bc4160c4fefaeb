import { expect, test } from "vitest";
import { drill } from "../../../src/engine/drill.ts";
import { drillNightly } from "../../../src/engine/drill-nightly.ts";
import { allGenerations, points } from "../../../src/engine/queries.ts";
import { reconcile } from "../../../src/engine/reconcile.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const request = { point: null, resume: 1000 };
const restoreFailed = () => Fault.of("restore-failed", { point: 2, job: "lj", why: "it said no", log: "a log", other: "1" });

/** A job with two points, running. */
async function withPoints(): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj"));
  await take(machine.ports, lj);
  await take(machine.ports, lj);
  machine.steps.length = 0;
  return machine;
}

const lives = (machine: Machine): readonly number[] => [...machine.alive].filter((pid) => pid > 100);
const left = (machine: Machine) => machine.ports.vault.drillFolders(lj);

test("a point that lives is proven, and nothing of the drill is left", async () => {
  const machine = await withPoints();
  const live = lives(machine);
  const report = await drill(machine.ports, lj, request);
  expect(report).toMatchObject({ point: { number: 2 }, compared: 1, pages: 9, lived: 1000, copied: ["/"] });
  expect(machine.steps).toEqual([
    "drill folder 2",
    "bring back in isolation",
    "resume",
    "abandon /vault/.drill-2/run",
    "remove /vault/.drill-2",
    "write marks",
  ]);
  expect((await points(machine.ports, lj)).map((point) => point.provenAt)).toEqual([null, report.provenAt]);
  expect(lives(machine)).toEqual(live);
  expect(await left(machine)).toEqual([]);
});

test("where the policy says so it stays stopped", async () => {
  const machine = await withPoints();
  expect(await drill(machine.ports, lj, { point: 1, resume: 0 })).toMatchObject({ point: { number: 1 }, lived: 0 });
  expect(machine.steps).toContain("end");
  expect(machine.steps).not.toContain("resume");
});

test("a memory that differs marks the point failed and tells the outside; the older one is still offered", async () => {
  const machine = await withPoints();
  machine.differing = 1;
  await expect(drill(machine.ports, lj, request)).rejects.toMatchObject({
    code: "drill-failed",
    message: expect.stringContaining(
      "1 of 1 pages compared (of 9) were not as the images have them, the first at 0x10000 of process 300",
    ),
  });
  expect(machine.steps).not.toContain("resume");
  expect((await points(machine.ports, lj)).map((point) => point.number)).toEqual([1]);
  expect((await allGenerations(machine.ports, lj)).at(-1)).toMatchObject({ number: 2, state: "failed", provenAt: null });
  expect(machine.notices.at(-1)).toMatchObject({ event: "damaged", point: 2, code: "drill-failed" });
  expect(await left(machine)).toEqual([]);
});

test("a restore that fails in isolation may be the isolation's fault: the point is offered as before", async () => {
  const machine = await withPoints();
  machine.failing.set("bring back in isolation", restoreFailed());
  await expect(drill(machine.ports, lj, request)).rejects.toMatchObject({
    code: "drill-failed",
    message: expect.stringContaining("/vault/logs/drill-2.log"),
  });
  expect((await points(machine.ports, lj)).map(({ number, provenAt }) => [number, provenAt])).toEqual([
    [1, null],
    [2, null],
  ]);
  expect(await left(machine)).toEqual([]);
});

test.each([
  ["a signal", { type: "signaled", signal: 11 }, "signal 11"],
  ["another status than 0", { type: "exited", status: 3 }, "status 3"],
] as const)("a copy that ends with %s has not lived", async (_, ending, words) => {
  const machine = await withPoints();
  machine.onSleep = () => void machine.endings.set("/vault/.drill-2/run", ending);
  await expect(drill(machine.ports, lj, request)).rejects.toMatchObject({
    code: "drill-failed",
    message: expect.stringContaining(words),
  });
  expect((await points(machine.ports, lj)).at(-1)).toMatchObject({ number: 2, provenAt: null });
});

test("a copy that finishes its work has lived", async () => {
  const machine = await withPoints();
  machine.onSleep = () => void machine.endings.set("/vault/.drill-2/run", { type: "exited", status: 0 });
  expect((await drill(machine.ports, lj, request)).lived).toBeLessThan(1000);
  expect((await points(machine.ports, lj)).at(-1)).toMatchObject({ provenAt: expect.any(Number) });
});

test("a point that had failed and comes back in a drill is offered again", async () => {
  const machine = await withPoints();
  machine.differing = 1;
  await expect(drill(machine.ports, lj, request)).rejects.toMatchObject({ code: "drill-failed" });
  machine.differing = 0;
  await drill(machine.ports, lj, { point: 2, resume: 0 });
  expect((await points(machine.ports, lj)).map((point) => point.number)).toEqual([1, 2]);
});

test("a drill for which there is not memory enough is refused before anything is made", async () => {
  const machine = await withPoints();
  const ports = { ...machine.ports, host: { ...machine.ports.host, availableMemory: () => 64 * 2 ** 20 } };
  await expect(drill(ports, lj, request)).rejects.toMatchObject({
    code: "space-short",
    exitStatus: 12,
    message: expect.stringContaining("this machine's memory"),
  });
  expect(machine.steps).toEqual([]);
});

test("a drill whose private copies do not fit is refused before anything is made", async () => {
  const machine = await withPoints();
  const ports = { ...machine.ports, limits: { ...machine.ports.limits, minFreeBytes: 2 ** 41 } };
  await expect(drill(ports, lj, request)).rejects.toMatchObject({ code: "space-short" });
  expect(machine.steps).toEqual([]);
});

test("somebody who wants the job has it at once: the copy's life is cut short, and it is proven all the same", async () => {
  const machine = await withPoints();
  const { ports } = machine;
  let isWanted = false;
  machine.onSleep = () => void (isWanted = true);
  const catalogue = { ...ports.catalogue, leaseWanted: async () => isWanted };
  const report = await drill({ ...ports, catalogue }, lj, { point: null, resume: 60_000 });
  expect(report.lived).toBeLessThan(1000);
  expect(report.point.number).toBe(2);
});

test("what a killed drill left is ended and swept by whoever comes next", async () => {
  const machine = await withPoints();
  const folder = await machine.ports.vault.drillFolder(lj, 2);
  const live = lives(machine);
  await machine.ports.launcher.launch({ job: aJob("lj"), runFolder: `${folder}/run` });
  await reconcile(machine.ports, aJob("lj"));
  expect(lives(machine)).toEqual(live);
  expect(await left(machine)).toEqual([]);
});

test("each night the newest point of each running job is drilled, once, and a failure leaves the others their turn", async () => {
  const machine = await withPoints();
  await start(machine.ports, aJob("other"));
  await take(machine.ports, named("other"));
  await start(machine.ports, { ...aJob("pointless") });
  machine.failing.set("drill folder 2", Fault.of("vault-full", { place: "the vault" }));
  const first = await drillNightly(machine.ports, 0);
  expect(first.done.map(({ point }) => [point.job, point.number])).toEqual([["other", 1]]);
  expect(first.faults.map(({ job, fault }) => [job, fault.code])).toEqual([["lj", "vault-full"]]);
  machine.failing.clear();
  const second = await drillNightly(machine.ports, 0);
  expect(second.done.map(({ point }) => [point.job, point.number])).toEqual([["lj", 2]]);
  expect(await drillNightly(machine.ports, 0)).toEqual({ done: [], faults: [] });
});

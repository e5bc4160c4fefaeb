import { expect, test } from "vitest";
import { markDamaged } from "../../../src/engine/mark-damaged.ts";
import type { Damage } from "../../../src/engine/ports.ts";
import { preflight } from "../../../src/engine/preflight.ts";
import { points, status } from "../../../src/engine/queries.ts";
import { restore } from "../../../src/engine/restore.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { verify } from "../../../src/engine/verify.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const third = { target: { type: "point", number: 3 }, running: "refuse", onFailure: "stop" } as const;
const cut = (number: number): Damage => ({ number, file: "pages-1.img", why: "cut" });

/** `B1 i2 i3`, of which a look at the vault finds this damage. */
async function threePoints(damage: readonly Damage[] = [], exposureLimit: number | null = null): Promise<Machine> {
  const machine = fakeMachine(damage);
  await start(machine.ports, aJob("lj", { exposureLimit }));
  for (let taken = 0; taken < 3; taken++) await take(machine.ports, lj);
  return machine;
}

const numbers = async ({ ports }: Machine) => (await points(ports, lj)).map(({ number }) => number);
const told = ({ notices }: Machine) => notices.filter(({ event }) => event === "damaged");

test("all points are looked at, a point comes with those below it, and the vault is asked once", async () => {
  const machine = await threePoints();
  const asked: unknown[] = [];
  const { verifyChains } = machine.ports.vault;
  machine.ports.vault.verifyChains = (name, wanted, reading, onProgress, pace) => {
    asked.push([wanted, reading.share]);
    return verifyChains(name, wanted, reading, onProgress, pace);
  };
  expect(await verify(machine.ports, lj, null)).toMatchObject({ checked: [1, 2, 3], damage: [] });
  expect(await verify(machine.ports, lj, 2, 0.05)).toMatchObject({ checked: [1, 2], damage: [] });
  expect(asked).toEqual([
    [[1, 2, 3], 1],
    [[1, 2], 0.05],
  ]);
  await expect(verify(machine.ports, lj, 9)).rejects.toMatchObject({ code: "point-unknown" });
});

test("each verify picks anew what it reads", async () => {
  const machine = await threePoints();
  const seeds = new Set<string>();
  const { verifyChains } = machine.ports.vault;
  machine.ports.vault.verifyChains = (name, wanted, reading, onProgress, pace) => {
    seeds.add(reading.seed);
    return verifyChains(name, wanted, reading, onProgress, pace);
  };
  for (let times = 0; times < 3; times++) await verify(machine.ports, lj, null, 0.05);
  expect(seeds.size).toBe(3);
});

test("damage withdraws the generation and what stands on it, deletes nothing, and the next take makes a base", async () => {
  const machine = await threePoints([cut(2)]);
  expect((await verify(machine.ports, lj, null)).damage).toEqual([cut(2)]);
  expect(await numbers(machine)).toEqual([1]);
  expect(await machine.ports.vault.sealed(lj)).toEqual([1, 2, 3]);
  expect((await machine.ports.vault.readMarks(lj))["2"]).toMatchObject({ state: "damaged", reason: "pages-1.img: cut" });
  expect((await take(machine.ports, lj)).generation).toMatchObject({
    number: 4,
    kind: "base",
    parent: null,
    reason: expect.stringContaining("damaged"),
  });
  expect(await numbers(machine)).toEqual([1, 4]);
});

test("the hook is told once of each generation, with what is still good, however often the damage is met", async () => {
  const machine = await threePoints([cut(2)]);
  await verify(machine.ports, lj, null);
  expect(told(machine)).toEqual([
    {
      event: "damaged",
      job: "lj",
      at: machine.ports.clock.now(),
      point: 2,
      code: "point-damaged",
      message: "point 2 is damaged: pages-1.img: cut; newest point still good: #1",
    },
  ]);
  await markDamaged(machine.ports, lj, [cut(2), { ...cut(2), file: "files/0" }, cut(1)]);
  expect(told(machine).map(({ point }) => point)).toEqual([2, 1]);
  expect(told(machine)[1]?.message).toContain("no point is left");
  expect((await machine.ports.vault.readMarks(lj))["2"]?.reason).toBe("pages-1.img: cut (and 1 more file)");
  await verify(machine.ports, lj, null);
  expect(told(machine)).toHaveLength(2);
});

test("damage that a restore meets is written down and told in the same way", async () => {
  const machine = await threePoints([cut(3)]);
  machine.alive.clear();
  machine.alive.add(10);
  const refused = restore(machine.ports, lj, third);
  await expect(refused).rejects.toMatchObject({ code: "point-damaged", stillGood: "newest point still good: #2" });
  expect(told(machine)).toMatchObject([{ point: 3, message: expect.stringContaining("pages-1.img: cut") }]);
  expect(await numbers(machine)).toEqual([1, 2]);
});

test("a directory that somebody took away is told as damage too", async () => {
  const machine = await threePoints();
  await machine.ports.vault.remove(lj, 2);
  await verify(machine.ports, lj, null);
  expect(told(machine)).toMatchObject([{ point: 2, message: expect.stringContaining("its directory is gone") }]);
  await verify(machine.ports, lj, null);
  expect(told(machine)).toHaveLength(1);
});

test("status tells of damage and of what is lost with it, until the job has none", async () => {
  const machine = await threePoints([cut(1)]);
  const [before] = await status(machine.ports, lj);
  expect(before).toMatchObject({ damaged: [], lost: [], points: 3 });
  await verify(machine.ports, lj, null);
  const [after] = await status(machine.ports, lj);
  expect(after).toMatchObject({ damaged: [1], lost: [2, 3], points: 0, newest: null });
});

test("status is over the limit when more work is at risk than that, and only while the job runs", async () => {
  const machine = await threePoints([], 60_000);
  const isOver = async () => (await status(machine.ports, lj))[0]?.exposureOver;
  expect(await isOver()).toBe(false);
  await machine.ports.clock.sleep(60_000);
  expect(await isOver()).toBe(false);
  await machine.ports.clock.sleep(1);
  expect(await isOver()).toBe(true);
  await take(machine.ports, lj);
  expect(await isOver()).toBe(false);
  await machine.ports.clock.sleep(90_000);
  machine.alive.clear();
  machine.alive.add(10);
  expect((await status(machine.ports, lj))[0]).toMatchObject({ exposureSeconds: null, exposureOver: false });

  const without = await threePoints();
  await without.ports.clock.sleep(1e9);
  expect((await status(without.ports, lj))[0]?.exposureOver).toBe(false);
});

test("what a verify cannot see is told of the points that are whole", async () => {
  const machine = await threePoints([cut(3)]);
  const { manifest } = machine.ports.vault;
  machine.ports.vault.manifest = async (name, number) => {
    const one = await manifest(name, number);
    const needed = { path: `/lib/${number}`, size: 1, mtimeNs: "0", inode: "1:1", ctimeNs: "0", sha256: "" };
    return { ...one, capture: { ...one.capture, needed: [needed] } };
  };
  expect((await verify(machine.ports, lj, null)).outside).toEqual({ needed: 2, undigested: 2, byLength: 0, leftOut: 0 });
});

test("a manifest that is not this host's is damage, told once", async () => {
  const machine = await threePoints();
  const [point] = (await points(machine.ports, lj)).slice(-1);
  if (!point) throw new Error("there are three points");
  machine.ports.vault.manifest = async () => {
    throw Fault.of("manifest-forged", { point: 3, job: "lj" });
  };
  const looked = () => preflight(machine.ports, aJob("lj"), point);
  await expect(looked()).rejects.toMatchObject({ code: "manifest-forged", stillGood: "newest point still good: #2" });
  expect(told(machine)).toMatchObject([{ point: 3 }]);
  await expect(looked()).rejects.toMatchObject({ code: "manifest-forged" });
  expect(told(machine)).toHaveLength(1);
});

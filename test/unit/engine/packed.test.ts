import { expect, test } from "vitest";
import { budgetOf } from "../../../src/engine/pace.ts";
import { pack } from "../../../src/engine/pack.ts";
import { packCold } from "../../../src/engine/pack-cold.ts";
import { points } from "../../../src/engine/queries.ts";
import { restore } from "../../../src/engine/restore.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { unpack } from "../../../src/engine/unpack.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");

/** `B1 i2`, and nobody has ended the job. */
async function guarded(change: Parameters<typeof aJob>[1] = {}): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj", change));
  await take(machine.ports, lj);
  await take(machine.ports, lj);
  machine.steps.length = 0;
  return machine;
}

async function end(machine: Machine): Promise<void> {
  const run = (await machine.ports.catalogue.runs(lj)).at(-1);
  for (const one of [run?.init, run?.root]) if (one) machine.alive.delete(one.pid);
  machine.endings.set(`/vault/runs/${run?.number}`, { type: "exited", status: 0 });
}

const packedOf = async ({ ports }: Machine): Promise<readonly number[]> =>
  (await points(ports, lj)).flatMap(({ number, unpackedBytes }) => (unpackedBytes === undefined ? [] : [number]));

test("the newest chain of a running job is refused by name and left by rule, until the job has ended", async () => {
  const machine = await guarded();
  await expect(pack(machine.ports, lj, { point: 1, after: 0 }, "perform")).rejects.toMatchObject({ code: "pack-hot" });
  expect(await pack(machine.ports, lj, { point: null, after: 0 }, "perform")).toMatchObject({ done: [] });
  await end(machine);
  expect((await pack(machine.ports, lj, { point: null, after: 0 }, "perform")).done).toHaveLength(2);
  expect(await packedOf(machine)).toEqual([1, 2]);
  expect(machine.steps.filter((step) => step.startsWith("pack"))).toEqual(["pack 1", "pack 2"]);
  expect(await unpack(machine.ports, lj, 1)).toMatchObject({ unpacked: [1] });
  expect(await packedOf(machine)).toEqual([2]);
});

test("a take whose parent's chain was packed all the same unpacks it before the dump", async () => {
  const machine = await guarded();
  // Behind the engine's back, as an older program or a person might.
  for (const number of [1, 2]) await machine.ports.vault.pack(lj, number, () => undefined);
  machine.steps.length = 0;
  expect((await take(machine.ports, lj)).generation).toMatchObject({ kind: "increment", parent: 2 });
  const [first, second, dump] = ["unpack 1", "unpack 2", "dump"].map((step) => machine.steps.indexOf(step));
  expect([first, second].every((at) => at !== undefined && at >= 0 && at < (dump ?? 0))).toBe(true);
});

test("a restore reads what was unpacked beside, leaves the point packed, and sweeps it; also when it fails", async () => {
  const machine = await guarded();
  await end(machine);
  await pack(machine.ports, lj, { point: null, after: 0 }, "perform");
  const target = { type: "point", number: 2 } as const;
  const request = { target, running: "refuse", onFailure: "stop" } as const;
  machine.steps.length = 0;
  machine.failing.set("bring back 2", new Error("no"));
  await restore(machine.ports, lj, request).catch(() => undefined);
  machine.failing.clear();
  expect(await machine.ports.vault.sweepUnpacked(lj)).toEqual([]);
  await restore(machine.ports, lj, request).catch(() => undefined);
  expect(machine.steps).toContain("unpack aside 2");
  expect(await machine.ports.vault.sweepUnpacked(lj)).toEqual([]);
  expect(await packedOf(machine)).toEqual([1, 2]);
});

test("the service packs the jobs that say so, or all where the settings do; one that says off is left", async () => {
  const cold = await guarded({ compress: "cold" });
  await end(cold);
  expect((await packCold(cold.ports, null, { mode: "off", after: 0 }, budgetOf(0))).done).toHaveLength(2);
  const off = await guarded({ compress: "off" });
  await end(off);
  expect((await packCold(off.ports, null, { mode: "cold", after: 0 }, budgetOf(0))).done).toEqual([]);
  const silent = await guarded();
  await end(silent);
  expect((await packCold(silent.ports, lj, { mode: "off", after: 0 }, budgetOf(0))).done).toEqual([]);
  expect((await packCold(silent.ports, lj, { mode: "cold", after: 0 }, budgetOf(0))).done).toHaveLength(2);
});

import { expect, test } from "vitest";
import { withJobLease } from "../../../src/engine/lease.ts";
import type { Lease } from "../../../src/engine/ports.ts";
import { named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");

async function held(machine: Machine, pid: number, verb: string): Promise<Lease> {
  const { catalogue, clock } = machine.ports;
  const lease = { name: "job:lj", token: "theirs", owner: identity(pid), verb, expiresAt: clock.now() + 60_000 };
  await catalogue.acquireLease(lease, clock.now(), () => true);
  return lease;
}

const act = async (): Promise<string> => "done";

test("a job that a live process acts on is busy, and nothing is done", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  await held(machine, 77, "restore");
  let acted = false;
  const refused = withJobLease(machine.ports, lj, "take", async () => (acted = true));
  await expect(refused).rejects.toMatchObject({ code: "busy", message: "process 77 is at work on lj (restore)" });
  expect(acted).toBe(false);
});

test("the lease of a dead owner is taken over", async () => {
  const machine = fakeMachine();
  await held(machine, 77, "restore");
  expect(await withJobLease(machine.ports, lj, "take", act)).toBe("done");
});

test("a lease that ran out is taken over though its owner lives", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  await held(machine, 77, "restore");
  await machine.ports.clock.sleep(60_001);
  expect(await withJobLease(machine.ports, lj, "take", act)).toBe("done");
});

test.each(["tend", "expire"])("what happens unasked (%s) is waited for, and refuses nobody", async (verb) => {
  const machine = fakeMachine();
  machine.alive.add(77);
  const lease = await held(machine, 77, verb);
  let sleeps = 0;
  machine.onSleep = async () => {
    if (++sleeps === 3) await machine.ports.catalogue.releaseLease(lease.name, lease.token);
  };
  expect(await withJobLease(machine.ports, lj, "take", act)).toBe("done");
  expect(sleeps).toBe(3);
});

test("it is not waited for without end, nor by its own kind", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  const lease = await held(machine, 77, "tend");
  await expect(withJobLease(machine.ports, lj, "tend", act)).rejects.toMatchObject({ code: "busy" });
  expect(machine.ports.clock.monotonic()).toBe(0);
  machine.onSleep = async () =>
    void (await machine.ports.catalogue.renewLease(lease.name, lease.token, machine.ports.clock.now() + 60_000));
  await expect(withJobLease(machine.ports, lj, "take", act)).rejects.toMatchObject({ code: "busy" });
});

test("the lease is given back after a failure too", async () => {
  const machine = fakeMachine();
  const failed = withJobLease(machine.ports, lj, "take", async () => {
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  machine.alive.delete(10);
  expect(await withJobLease(machine.ports, lj, "take", act)).toBe("done");
});

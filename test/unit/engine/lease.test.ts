import { expect, test } from "vitest";
import { withJobLease } from "../../../src/engine/lease.ts";
import type { Lease } from "../../../src/engine/ports.ts";
import { named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";
import { PassingTime } from "../../fakes/time.ts";

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

test.each(["tend", "expire", "verify"])("what happens unasked (%s) is waited for, and refuses nobody", async (verb) => {
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

test("it is waited for as long as it takes, with one word about it after a second, and by its own kind not at all", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  const { catalogue, clock } = machine.ports;
  const lease = await held(machine, 77, "expire");
  await expect(withJobLease(machine.ports, lj, "tend", act, "unasked")).rejects.toMatchObject({ code: "busy" });
  expect(clock.monotonic()).toBe(0);
  machine.onSleep = async (now) => {
    if (now < 1000) expect(machine.events).toEqual([]);
    if (now > 3_600_000) await catalogue.releaseLease(lease.name, lease.token);
    else await catalogue.renewLease(lease.name, lease.token, clock.now() + 60_000);
  };
  expect(await withJobLease(machine.ports, lj, "take", act)).toBe("done");
  expect(machine.events).toEqual([
    { type: "notice", job: "lj", text: "waiting for the expire that process 77 has begun; Ctrl-C ends the waiting" },
  ]);
});

test("one who has no more than so long waits no longer", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  await held(machine, 77, "verify");
  const ports = { ...machine.ports, limits: { ...machine.ports.limits, leaseMilliseconds: 5000 } };
  await expect(withJobLease(ports, lj, "take", act)).rejects.toMatchObject({ code: "busy" });
  expect(machine.ports.clock.monotonic()).toBeLessThan(6000);
});

test("work that gave the lease back half done waits for whatever comes in between, without a word", async () => {
  const machine = fakeMachine();
  machine.alive.add(77);
  const lease = await held(machine, 77, "restore");
  machine.onSleep = async (now) => {
    if (now > 30_000) await machine.ports.catalogue.releaseLease(lease.name, lease.token);
  };
  expect(await withJobLease(machine.ports, lj, "expire", act, "resuming")).toBe("done");
  expect(machine.events).toEqual([]);
});

test("who waits comes first when unasked work gives the lease back and asks again at once", async () => {
  const time = new PassingTime();
  const ports = { ...fakeMachine().ports, clock: time.clock };
  const order: string[] = [];
  const work = async (): Promise<void> => {
    for (let step = 1; step <= 3; step++) {
      await withJobLease(ports, lj, "expire", async () => time.clock.sleep(1100), step === 1 ? "unasked" : "resuming");
      order.push(`step ${step}`);
    }
  };
  const asked = async (): Promise<void> => {
    await time.clock.sleep(10);
    await withJobLease(ports, lj, "take", async () => order.push("take"));
  };
  await time.until(Promise.all([work(), asked()]));
  expect(order).toEqual(["take", "step 1", "step 2", "step 3"]);
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

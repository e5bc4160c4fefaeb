import { beforeEach, describe, expect, test } from "vitest";
import { expire } from "../../../src/engine/expire.ts";
import { hold } from "../../../src/engine/hold.ts";
import { budgetOf } from "../../../src/engine/pace.ts";
import type { Lease } from "../../../src/engine/ports.ts";
import { points } from "../../../src/engine/queries.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { takeDue } from "../../../src/engine/take-due.ts";
import { verifySlice } from "../../../src/engine/verify-slice.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";
import { PassingTime } from "../../fakes/time.ts";

const lj = named("lj");
const block = 1 << 20;
const budget = () => budgetOf(block);

let [machine, time]: [Machine, PassingTime] = [fakeMachine(), new PassingTime()];

/** Five points, of which `last=3` keeps three, and a vault whose every fold and every reading back moves a hundred blocks. */
beforeEach(async () => {
  [machine, time] = [fakeMachine(), new PassingTime()];
  machine = { ...machine, ports: { ...machine.ports, clock: time.clock } };
  const { vault } = machine.ports;
  const { fold, thin, verifyChains, remove } = vault;
  vault.thin = async (...asked) => ({ ...(await thin(...asked)), digests: { "pages-1.img": { bytes: 4096, sha256: "" } } });
  vault.fold = async (name, number, parent, onProgress, pace) => {
    machine.steps.push(`fold ${number}`);
    for (let moved = 0; moved < 100; moved++) await (pace ? pace(block) : time.clock.sleep(1000));
    machine.steps.push(`folded ${number}`);
    return fold(name, number, parent, onProgress);
  };
  vault.verifyChains = async (name, numbers, reading, onProgress, pace) => {
    machine.steps.push("read back");
    for (let moved = 0; moved < 100; moved++) await (pace ? pace(block) : time.clock.sleep(1000));
    return verifyChains(name, numbers, reading, onProgress);
  };
  vault.remove = async (name, number) => {
    machine.steps.push(`remove ${number}`);
    await time.clock.sleep(2000);
    return remove(name, number);
  };
  await time.until(start(machine.ports, aJob("lj", { keep: "last=3" })));
  for (let taken = 0; taken < 5; taken++) await time.until(take(machine.ports, lj));
  machine.steps.length = 0;
});

async function seen(step: string): Promise<void> {
  while (!machine.steps.includes(step)) await time.clock.sleep(20);
}

const missed = async () => (await machine.ports.catalogue.attempts(lj, 9)).filter((one) => one.outcome === "missed");

describe("a due take", () => {
  test.each([
    ["the service's expire", () => expire(machine.ports, lj, "UTC", "perform", budget())],
    ["an expire that a person typed", () => expire(machine.ports, lj, "UTC", "perform")],
  ])("in the middle of %s is taken, late, and not counted as missed", async (_, retain) => {
    const retention = retain();
    await time.until(seen("fold 3"));
    const { generation } = await time.until(takeDue(machine.ports, lj));
    expect(generation.number).toBe(6);
    expect(machine.steps.indexOf("dump")).toBeGreaterThan(machine.steps.indexOf("folded 3"));
    await time.until(retention);
    expect(await missed()).toEqual([]);
  });

  test("in the middle of the nightly verify is taken, and the chain is read at full speed from then on", async () => {
    const nightly = verifySlice(machine.ports, { share: 1, of: 1 }, budget());
    await time.until(seen("read back"));
    const before = time.clock.monotonic();
    await time.until(takeDue(machine.ports, lj));
    expect(time.clock.monotonic() - before).toBeLessThan(2000);
    await time.until(nightly);
    expect(await missed()).toEqual([]);
  });

  test("finds another's restore at work, is not doubled, and counts as missed", async () => {
    await held("restore");
    await expect(time.until(takeDue(machine.ports, lj))).rejects.toMatchObject({ code: "busy" });
    expect(await missed()).toMatchObject([{ code: "busy", count: 1 }]);
  });
});

test("nobody is dumped in the middle of a fold, nor folded in the middle of a dump", async () => {
  const { criu } = machine.ports;
  const { dump } = criu;
  criu.dump = async (...asked) => {
    await time.clock.sleep(5000);
    machine.steps.push("dump begins");
    await time.clock.sleep(5000);
    return dump(...asked);
  };
  const [taken, retention] = [take(machine.ports, lj), expire(machine.ports, lj, "UTC", "perform")];
  await expect(time.until(retention)).rejects.toMatchObject({ code: "busy" });
  await time.until(taken);
  expect(machine.steps.filter((step) => /fold|dump/.test(step))).toEqual(["dump begins", "dump"]);

  machine.steps.length = 0;
  const again = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("fold 4"));
  await time.until(takeDue(machine.ports, lj));
  await time.until(again);
  expect(machine.steps.filter((step) => /fold|dump/.test(step))).toEqual([
    "fold 4",
    "folded 4",
    "dump begins",
    "dump",
    "fold 5",
    "folded 5",
  ]);
});

test("the service's expire lets a waiting take in after the fold, and then plans anew", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("fold 3"));
  await time.until(takeDue(machine.ports, lj));
  expect(machine.steps).not.toContain("remove 2");
  const { plan, done } = await time.until(retention);
  // The sixth point is seen: the third goes too, though the first plan kept it.
  expect((await points(machine.ports, lj)).map((one) => one.number)).toEqual([4, 5, 6]);
  expect(new Set(plan.sweeps)).toEqual(new Set([1, 2, 3]));
  expect(done).toMatchObject({ folded: 2, swept: 3, bytesAfter: 3 * 4096, bytesBefore: 6 * 4096 });
});

test("a hold that comes between two steps is seen", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("fold 3"));
  await time.until(hold(machine.ports, lj, 1, true, null));
  await time.until(retention);
  expect((await points(machine.ports, lj)).map((one) => one.number)).toEqual([1, 3, 4, 5]);
});

test("one that comes between two sweeps waits for one sweep alone", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("remove 2"));
  await time.until(takeDue(machine.ports, lj));
  expect(machine.steps).not.toContain("remove 1");
  await time.until(retention);
  expect(machine.steps).toContain("remove 1");
});

test("takes in close succession cannot keep it from its end", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("fold 3"));
  let isOver = false;
  void retention.then(() => (isOver = true));
  for (let more = 0; more < 20 && !isOver; more++) {
    await time.until(takeDue(machine.ports, lj));
    await time.until(time.clock.sleep(1000));
  }
  expect(isOver).toBe(true);
  await time.until(retention);
  expect((await points(machine.ports, lj)).length).toBeLessThan(6);
});

test("an expire that a person typed goes through in one piece", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform");
  await time.until(seen("fold 3"));
  await time.until(takeDue(machine.ports, lj));
  await time.until(retention);
  expect(machine.steps.indexOf("dump")).toBeGreaterThan(machine.steps.indexOf("remove 1"));
});

test("with nobody waiting the service's expire keeps to its budget", async () => {
  const before = time.clock.monotonic();
  await time.until(expire(machine.ports, lj, "UTC", "perform", budget()));
  expect(time.clock.monotonic() - before).toBeGreaterThanOrEqual(99_000);
});

test("the nightly verify does not wait for retention, and leaves the job for another night", async () => {
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(seen("fold 3"));
  const before = time.clock.monotonic();
  expect(await time.until(verifySlice(machine.ports, { share: 1, of: 1 }, budget()))).toMatchObject({ busy: ["lj"] });
  expect(time.clock.monotonic()).toBe(before);
  await time.until(retention);
});

test("retention that finds the next take at work already waits for it, and is not left out", async () => {
  const lease = await held("take");
  const retention = expire(machine.ports, lj, "UTC", "perform", budget());
  await time.until(time.clock.sleep(5000));
  expect(machine.steps).toEqual([]);
  await machine.ports.catalogue.releaseLease(lease.name, lease.token);
  await time.until(retention);
  expect(machine.steps).toContain("remove 1");
});

async function held(verb: string): Promise<Lease> {
  const { catalogue, clock } = machine.ports;
  machine.alive.add(77);
  const lease = { name: "job:lj", token: "theirs", owner: identity(77), verb, expiresAt: clock.now() + 10_000_000 };
  await catalogue.acquireLease(lease, clock.now(), () => true);
  return lease;
}

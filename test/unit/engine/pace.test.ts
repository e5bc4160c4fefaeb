import { expect, test } from "vitest";
import { budgetOf, endWork, paceUnder } from "../../../src/engine/pace.ts";
import { PassingTime } from "../../fakes/time.ts";

const block = 1 << 20;
const nobody = { isWanted: async () => false };

async function move(pace: ((bytes: number) => Promise<void>) | undefined, blocks: number): Promise<void> {
  for (let moved = 0; moved < blocks; moved++) await pace?.(block);
}

test("two threads share one budget", async () => {
  const time = new PassingTime();
  const budget = budgetOf(block);
  await time.until(Promise.all([move(paceUnder(time, budget, nobody), 30), move(paceUnder(time, budget, nobody), 30)]));
  expect(time.clock.monotonic()).toBe(59_000);
});

test("when somebody waits for the lease the rest is done at full speed, and that is asked once a second", async () => {
  const time = new PassingTime();
  let asked = 0;
  const isWanted = async (): Promise<boolean> => (++asked, time.clock.monotonic() >= 20_000);
  await time.until(move(paceUnder(time, budgetOf(10 * block), { isWanted }), 10_000));
  expect(time.clock.monotonic()).toBe(20_000);
  expect(asked).toBe(21);
});

test("it is asked about in the middle of a long wait too", async () => {
  const time = new PassingTime();
  const isWanted = async (): Promise<boolean> => time.clock.monotonic() >= 3000;
  await time.until(move(paceUnder(time, budgetOf(block / 3600), { isWanted }), 5));
  expect(time.clock.monotonic()).toBe(3000);
});

test("a command that a person types has no pace, and a rate of 0 is no limit", async () => {
  const time = new PassingTime();
  expect(paceUnder(time, null, nobody)).toBeUndefined();
  await time.until(move(paceUnder(time, budgetOf(0), nobody), 1000));
  expect(time.clock.monotonic()).toBe(0);
});

test.each([0, block])("work ends before its next block when the service stops (%i bytes a second)", async (rate) => {
  const time = new PassingTime();
  const budget = budgetOf(rate);
  const pace = paceUnder(time, budget, nobody);
  await time.until(move(pace, 2));
  const waiting = time.until(move(pace, 2));
  endWork(budget);
  await expect(waiting).rejects.toMatchObject({ code: "service-stopping" });
});

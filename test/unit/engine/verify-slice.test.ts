import { expect, test } from "vitest";
import { budgetOf } from "../../../src/engine/pace.ts";
import { points } from "../../../src/engine/queries.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { verifySlice } from "../../../src/engine/verify-slice.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, identity, type Machine } from "../../fakes/machine.ts";

const [a, b] = [named("a"), named("b")];
const all = { share: 1, of: 1 };
const unbound = budgetOf(0);

/** Two jobs of three points each, and what is read back of them. */
async function twoJobs(machine: Machine): Promise<readonly string[]> {
  for (const name of [a, b]) {
    await start(machine.ports, aJob(name));
    for (let taken = 0; taken < 3; taken++) await take(machine.ports, name);
  }
  const read: string[] = [];
  const { verifyChains } = machine.ports.vault;
  machine.ports.vault.verifyChains = (name, numbers, ...rest) => {
    read.push(`${name} ${numbers.join(" ")}`);
    return verifyChains(name, numbers, ...rest);
  };
  return read;
}

test("points over one base are read back together, and every page of each is looked for", async () => {
  const machine = fakeMachine();
  const read = await twoJobs(machine);
  const kinds = (await points(machine.ports, a)).map((one) => one.kind);
  expect(kinds).toEqual(["base", "increment", "increment"]);
  expect(await verifySlice(machine.ports, all, unbound)).toEqual({ checked: 6, damage: [], busy: [] });
  expect(read).toEqual(["a 1 2 3", "b 1 2 3"]);
  expect((await verifySlice(machine.ports, { share: 0, of: 1 }, unbound)).checked).toBe(0);
});

test("within a round every point is read back once", async () => {
  const machine = fakeMachine();
  const read = await twoJobs(machine);
  for (let day = 0; day < 5; day++) {
    await verifySlice(machine.ports, { share: 1, of: 5 }, unbound);
    await machine.ports.clock.sleep(86_400_000);
  }
  const each = read.flatMap((line) => {
    const [name, ...numbers] = line.split(" ");
    return numbers.map((number) => `${name} ${number}`);
  });
  expect(each.toSorted()).toEqual(["a 1", "a 2", "a 3", "b 1", "b 2", "b 3"]);
});

test("damage is told with its job and written down, and the other jobs are read all the same", async () => {
  const machine = fakeMachine([{ number: 3, file: "pages-1.img", why: "cut" }]);
  await twoJobs(machine);
  const { damage } = await verifySlice(machine.ports, all, unbound);
  expect(damage.map(({ job, damage: one }) => [job, one.number])).toEqual([
    ["a", 3],
    ["b", 3],
  ]);
  for (const name of [a, b]) expect((await points(machine.ports, name)).map((one) => one.number)).toEqual([1, 2]);
});

test("a job that another is at work on, or that cannot be read, keeps nobody from the others", async () => {
  const machine = fakeMachine();
  const read = await twoJobs(machine);
  machine.alive.add(77);
  const now = machine.ports.clock.now();
  const lease = { name: "job:a", token: "theirs", owner: identity(77), verb: "restore", expiresAt: now + 60_000 };
  await machine.ports.catalogue.acquireLease(lease, now, () => true);
  expect(await verifySlice(machine.ports, all, unbound)).toMatchObject({ checked: 3, busy: ["a"] });
  expect(read).toEqual(["b 1 2 3"]);

  await machine.ports.catalogue.releaseLease(lease.name, lease.token);
  machine.ports.vault.readMarks = async (name) => {
    if (name === "a") throw Fault.of("vault-file-damaged", { file: "marks.json", why: "no JSON" });
    return {};
  };
  await expect(verifySlice(machine.ports, all, unbound)).rejects.toMatchObject({ code: "vault-file-damaged" });
  expect(read).toEqual(["b 1 2 3", "b 1 2 3"]);
});

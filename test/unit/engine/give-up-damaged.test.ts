import { expect, test } from "vitest";
import { giveUpDamaged } from "../../../src/engine/give-up-damaged.ts";
import { mark } from "../../../src/engine/mark.ts";
import { points } from "../../../src/engine/queries.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");

/** `B1 i2x i3 | B4`: 2 is damaged, 3 stands on it. */
async function hurt(): Promise<Machine> {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj", { maxChain: 3 }));
  for (let number = 1; number <= 4; number++) await take(machine.ports, lj);
  await mark(machine.ports, lj, 2, { state: "damaged", reason: "pages-1.img: its digest differs" });
  return machine;
}

test("asked what would happen, it changes nothing", async () => {
  const { ports } = await hurt();
  const report = await giveUpDamaged(ports, lj, "plan");
  expect(report).toMatchObject({ given: [{ number: 2 }, { number: 3 }], held: [], done: false });
  expect(await ports.vault.sealed(lj)).toEqual([1, 2, 3, 4]);
});

test("damage and what stands on it go, and no sound point with them", async () => {
  const { ports } = await hurt();
  const before = await points(ports, lj);
  await giveUpDamaged(ports, lj, "perform");
  expect(await ports.vault.sealed(lj)).toEqual([1, 4]);
  expect(await points(ports, lj)).toEqual(before);
  expect((await ports.catalogue.generations(lj)).map(({ number, state }) => `${number} ${state}`)).toEqual([
    "1 sealed",
    "2 expired",
    "3 expired",
    "4 sealed",
  ]);
  expect(await giveUpDamaged(ports, lj, "perform")).toMatchObject({ given: [], held: [] });
});

test("one that is held stays, with what it stands on", async () => {
  const { ports } = await hurt();
  await mark(ports, lj, 3, { held: true });
  expect(await giveUpDamaged(ports, lj, "perform")).toMatchObject({ given: [], held: [2, 3] });
  expect(await ports.vault.sealed(lj)).toEqual([1, 2, 3, 4]);
});

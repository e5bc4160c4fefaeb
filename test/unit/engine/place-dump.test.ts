import { expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import type { Ports } from "../../../src/engine/ports.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine } from "../../fakes/machine.ts";

const lj = named("lj");

test("a dump lands in staging; where there is too little room it lands in the vault, with a word in the report and to whoever listens", async () => {
  const machine = fakeMachine();
  let freeBytes = 2 ** 40;
  const vault: Ports["vault"] = {
    ...machine.ports.vault,
    stagingPlace: async () => ({ folder: "/dev/shm/hf", freeBytes, inMemory: true }),
  };
  const ports = { ...machine.ports, vault };
  await start(ports, aJob("lj"));
  expect((await take(ports, lj)).staging).toEqual({ where: "staging", why: null });
  expect(machine.steps).toContain("prepare 1 in staging");
  freeBytes = 1024;
  const { staging } = await take(ports, lj);
  expect(staging).toMatchObject({ where: "vault", why: expect.stringContaining("/dev/shm/hf") });
  expect(machine.steps).toContain("prepare 2");
  expect(machine.events).toContainEqual({ type: "notice", job: "lj", text: `dumping to the vault's disk: ${staging.why}` });
});

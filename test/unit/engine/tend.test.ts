import { expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { tend } from "../../../src/engine/tend.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine } from "../../fakes/machine.ts";

const rules = { delay: 5_000, settle: 60_000, attempts: 5 };

test("the end of a run is written down once, and told once", async () => {
  const machine = fakeMachine();
  await start(machine.ports, aJob("lj"));
  expect(await tend(machine.ports, "ended", rules)).toEqual([]);
  for (const pid of [101, 102]) machine.alive.delete(pid);
  expect(await tend(machine.ports, "ended", rules)).toMatchObject([{ job: "lj", event: "run-ended", state: "crashed" }]);
  expect((await machine.ports.vault.runs(named("lj")))[0]?.endedAt).not.toBeNull();
  expect(await tend(machine.ports, "ended", rules)).toEqual([]);
});

test("a job that cannot be looked after keeps nobody from the others", async () => {
  const machine = fakeMachine();
  const { catalogue } = machine.ports;
  for (const name of ["a", "b"]) await start(machine.ports, aJob(name));
  for (const pid of machine.alive) if (pid > 100) machine.alive.delete(pid);
  machine.ports.vault.readMarks = async (name) => {
    if (name === "a") throw Fault.of("vault-file-damaged", { file: "marks.json", why: "no JSON" });
    return {};
  };
  await expect(tend(machine.ports, "ended", rules)).rejects.toMatchObject({ code: "vault-file-damaged" });
  expect((await catalogue.runs(named("b")))[0]?.endedAt).not.toBeNull();
});

import { rm } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { Engine } from "../../../src/compose.ts";
import { parseJobName } from "../../../src/domain/name.ts";
import { boot, reboot } from "../guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "../outputs.ts";
import { type Proof, proofs } from "../proof-programs.ts";
import { gone, kill, openWorld, type RestoreDocument, type StartDocument, type StatusDocument, type World } from "../world.ts";
import { engineOf, expectThinned, rules, takeForty, throwDice } from "./forty.ts";

/** Fewer steps, and longer pauses: alive for forty takes, and done in three seconds without pauses. */
const words: Readonly<Record<string, string>> = { "1500": "800", "1000000": "5000000" };
/** With ports of its own: the proof of LAMMPS without retention may run at the same time. */
const proof: Proof = {
  ...proofs.lammps,
  name: "melt",
  command: (programs) => proofs.lammps.command(programs).map((word) => words[word] ?? word),
  env: (unique) => ({
    ...proofs.lammps.env(unique),
    OMPI_MCA_btl_tcp_port_min_v4: "23000",
    OMPI_MCA_oob_tcp_dynamic_ipv4_ports: "23500-23600",
  }),
};

const platform = inject("platform");
const chance = throwDice();

describe.skipIf(!platform.ready)(`forty generations of LAMMPS, ten of them kept (FORTY_SEED=${chance.seed})`, () => {
  const programs = platform.ready ? platform.programs : "";
  const unique = `holdfast-test-forty-lammps-${process.pid}`;
  const name = parseJobName(proof.name);
  let expected: Outputs;
  let world: World;
  let engine: Engine;
  let started: StartDocument;

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, unique);
    world = await openWorld(proof.place);
    engine = await engineOf(world);
    await boot(proof, unique);
    const env = Object.entries(proof.env?.(unique) ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value}`]);
    const run = ["run", "--name", name, "--cwd", world.cwd, ...rules, ...env, "--", ...proof.command(programs, unique)];
    started = await world.json(run);
  });
  afterAll(async () => {
    await engine.close();
    await world.close();
    await reboot(proof, unique);
  });

  test("it lives through all forty while most of them expire", { timeout: 400_000 }, async () => {
    const story = await takeForty(engine, name, chance, async (_, take) => take());
    await kill(started.initPid);
    await gone(started.pid);
    await expectThinned(world, engine, name, chance, story);
  });

  test("the expired ones are gone: a restore refuses them", async () => {
    const refused = await world.fault(["restore", name, "--point", String(chance.expired[0])]);
    expect(refused).toMatchObject({ status: 10, code: "point-unknown" });
  });

  test.each(chance.kept)("brought back to point %i it ends as if nothing had happened", async (number) => {
    await reboot(proof, unique);
    await rm(path.join(world.cwd, "fast"), { force: true });
    const restored = await world.json<RestoreDocument>(["restore", name, "--point", String(number)]);
    expect(restored).toMatchObject({ job: name, point: number });
    await goFast(world.cwd);
    await gone(restored.pid, 170);
    const { jobs } = await world.json<StatusDocument>(["status", name]);
    expect(jobs).toMatchObject([{ state: "finished", run: { ending: { type: "exited", status: 0 } } }]);
    expect(await readOutputs(proof, world.cwd, started.output)).toEqual(expected);
  });
});

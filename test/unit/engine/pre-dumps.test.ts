import { expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import type { DumpRequest, Ports, PreDumpRequest } from "../../../src/engine/ports.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const done = (pages: number) => ({ type: "done", round: { pages, freezeMicros: 100 } }) as const;

type Asked = Machine & { readonly dumps: DumpRequest[]; readonly preDumps: PreDumpRequest[] };

/** A machine with soft-dirty whose job asks for pre-dumps; what CRIU was asked is written down. */
async function running(): Promise<Asked> {
  const machine = fakeMachine();
  const [dumps, preDumps]: [DumpRequest[], PreDumpRequest[]] = [[], []];
  const { criu } = machine.ports;
  const ports: Ports = {
    ...machine.ports,
    criu: {
      ...criu,
      probe: async () => ({ ...(await criu.probe()), softDirty: true }),
      preDump: async (request) => {
        preDumps.push(request);
        return criu.preDump(request);
      },
      dump: async (request, whileFrozen) => {
        dumps.push(request);
        return criu.dump(request, whileFrozen);
      },
    },
  };
  await start(ports, aJob("lj", { preDump: "read" }));
  machine.steps.length = 0;
  return { ...machine, ports, dumps, preDumps };
}

const stands = ({ dumps }: Asked) => dumps.map(({ track }) => track?.parent ?? null);

test("the bits are unknown before the first pre-dump; the dump stands on the last one, and they are gone before the seal", async () => {
  const machine = await running();
  machine.preDumped.push(done(50_000), done(4000), done(900));
  const { generation, preDumps } = await take(machine.ports, lj);
  expect(machine.steps).toEqual([
    "write head 1 unknown",
    "prepare 1",
    "pre-dump folder 1",
    "pre-dump on nothing",
    "pre-dump folder 2",
    "pre-dump on /vault/generations/.pre-1-1",
    "pre-dump folder 3",
    "pre-dump on /vault/generations/.pre-1-2",
    "dump",
    "capture",
    "fold 3 pre-dumps",
    "thin",
    "drop pre-dumps",
    "seal 1",
    "write head 1 known",
  ]);
  expect(stands(machine)).toEqual(["/vault/generations/.pre-1-3"]);
  expect(preDumps.map(({ pages }) => pages)).toEqual([50_000, 4000, 900]);
  expect(generation).toMatchObject({ kind: "base", parent: null });
});

test("the first one stands on the parent, and the generation is an increment on it", async () => {
  const machine = await running();
  await take(machine.ports, lj);
  const { generation } = await take(machine.ports, lj);
  expect(generation).toMatchObject({ number: 2, kind: "increment", parent: 1 });
  expect(machine.preDumps.map(({ parent }) => parent)).toEqual([null, "/vault/generations/1"]);
  expect((await machine.ports.vault.manifest(lj, 2)).parent).toMatchObject({ number: 1 });
});

test("L3: after a pre-dump that failed the dump stands on nothing, neither on it nor on the parent; the report says why", async () => {
  const machine = await running();
  await take(machine.ports, lj);
  machine.preDumped.push(done(50_000), { type: "failed", why: "CRIU was killed", log: "a log" });
  const { generation, preDumps } = await take(machine.ports, lj);
  expect(generation).toMatchObject({ number: 2, kind: "base", parent: null });
  expect(generation.reason).toBe("a pre-dump of generation 2 failed (CRIU was killed), so the dirty bits are unknown");
  expect(stands(machine).at(-1)).toBeNull();
  expect(machine.steps).toContain("drop pre-dumps");
  expect(preDumps).toEqual([]);
  expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 3, kind: "increment", parent: 2 });
});

test.each(["pre-dump on /vault/generations/1", "dump", "fold 1 pre-dumps", "drop pre-dumps", "seal 2"])(
  "a take over pre-dumps that fails at %s leaves no row, and the next is a base",
  async (step) => {
    const machine = await running();
    await take(machine.ports, lj);
    machine.failing.set(step, Fault.of("dump-timeout", { job: "lj", seconds: "60", log: "a log" }));
    await expect(take(machine.ports, lj)).rejects.toMatchObject({ code: "dump-timeout" });
    expect(machine.steps).toContain("discard 2");
    machine.failing.clear();
    expect((await take(machine.ports, lj)).generation).toMatchObject({ number: 3, kind: "base" });
  },
);

import { expect, test } from "vitest";
import { changeJob } from "../../../src/engine/change-job.ts";
import { dedup } from "../../../src/engine/dedup.ts";
import { points } from "../../../src/engine/queries.ts";
import { start } from "../../../src/engine/start.ts";
import { take } from "../../../src/engine/take.ts";
import type { Damage, DumpRequest, Ports } from "../../../src/engine/ports.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob, named } from "../../contract/catalogue-values.ts";
import { fakeMachine, type Machine } from "../../fakes/machine.ts";

const lj = named("lj");
const inDump = { dedup: "in-dump", keep: "last=1" } as const;

/** A machine with soft-dirty; `requests` is what CRIU was asked. */
function tracking(damage: readonly Damage[] = []): Machine & { readonly requests: DumpRequest[] } {
  const machine = fakeMachine(damage);
  const requests: DumpRequest[] = [];
  const { criu } = machine.ports;
  const ports: Ports = {
    ...machine.ports,
    criu: {
      ...criu,
      probe: async () => ({ ...(await criu.probe()), softDirty: true }),
      dump: async (request, whileFrozen) => {
        requests.push(request);
        return criu.dump(request, whileFrozen);
      },
    },
  };
  return { ...machine, ports, requests };
}

const states = async ({ ports }: Machine): Promise<readonly string[]> =>
  (await ports.catalogue.generations(lj)).map(({ number, state }) => `${number} ${state}`);

test("the parent is withdrawn before the dump begins, and what is left of it is written down before the seal", async () => {
  const machine = tracking();
  await start(machine.ports, aJob("lj", inDump));
  await take(machine.ports, lj);
  machine.steps.length = 0;
  const { generation } = await take(machine.ports, lj);
  expect(generation).toMatchObject({ number: 2, kind: "increment", parent: 1 });
  expect(machine.steps).toEqual([
    "write head 2 unknown",
    "prepare 2",
    "write marks",
    "dump",
    "capture",
    "keep",
    "consume 1",
    "seal 2",
    "write head 2 known",
  ]);
  expect(machine.requests.map(({ options }) => options.includes("--auto-dedup"))).toEqual([false, true]);
  expect(await states(machine)).toEqual(["1 consumed", "2 sealed"]);
  expect((await points(machine.ports, lj)).map(({ number }) => number)).toEqual([2]);
});

test("a dump that failed before it took a page costs nothing: the parent is offered again", async () => {
  const machine = tracking();
  await start(machine.ports, aJob("lj", inDump));
  await take(machine.ports, lj);
  machine.failing.set("dump", Fault.of("dump-failed", { job: "lj", why: "it said no", log: "a log" }));
  await expect(take(machine.ports, lj)).rejects.toMatchObject({ stillGood: "newest point still good: #1" });
  expect(await states(machine)).toEqual(["1 sealed"]);
});

test("one that took pages and failed leaves no point, and says so; the next is a base", async () => {
  const machine = tracking([]);
  await start(machine.ports, aJob("lj", inDump));
  await take(machine.ports, lj);
  machine.failing.set("keep", Fault.of("vault-full", { place: "/vault" }));
  const verifyChain = async () => [{ number: 1, file: "pages-1.img", why: "its digest differs" }];
  let dumped = false;
  const ports: Ports = {
    ...machine.ports,
    criu: {
      ...machine.ports.criu,
      dump: async (request, whileFrozen) => {
        dumped = true;
        return machine.ports.criu.dump(request, whileFrozen);
      },
    },
    vault: { ...machine.ports.vault, verifyChain: async () => (dumped ? verifyChain() : []) },
  };
  await expect(take(ports, lj)).rejects.toMatchObject({ stillGood: "there was no point before this one" });
  expect(await states(machine)).toEqual(["1 consumed"]);
  machine.failing.clear();
  expect((await take(ports, lj)).generation).toMatchObject({ kind: "base" });
});

test("no page is taken from a chain that is damaged: a base, and the damage is written down", async () => {
  const damage = [{ number: 1, file: "pages-1.img", why: "its digest differs" }];
  const machine = tracking(damage);
  await start(machine.ports, aJob("lj", inDump));
  await take(machine.ports, lj);
  expect((await take(machine.ports, lj)).generation).toMatchObject({ kind: "base" });
  expect(await states(machine)).toEqual(["1 damaged", "2 sealed"]);
});

test.each(["all", "last=2", "last=1, daily=3", "within=2h"])("in-dump is refused with the policy %s", async (keep) => {
  const machine = tracking();
  await expect(start(machine.ports, aJob("lj", { ...inDump, keep }))).rejects.toMatchObject({ code: "dedup-needs-last" });
  await start(machine.ports, aJob("lj", inDump));
  await expect(changeJob(machine.ports, lj, (job) => ({ ...job, keep }))).rejects.toMatchObject({ code: "dedup-needs-last" });
});

test("in-dump is refused on a kernel that does not track written pages", async () => {
  const machine = fakeMachine();
  await expect(start(machine.ports, aJob("lj", inDump))).rejects.toMatchObject({ code: "dedup-unsupported" });
  expect(await machine.ports.catalogue.jobs()).toEqual([]);
});

test("an increment that CRIU cannot stand on its parent becomes a base at once", async () => {
  const machine = tracking();
  await start(machine.ports, aJob("lj"));
  await take(machine.ports, lj);
  const { criu } = machine.ports;
  const dump: typeof criu.dump = async (request, whileFrozen) => {
    if (request.track?.parent) throw Fault.of("parent-unfit", { job: "lj", why: "it ran another program", log: "a log" });
    return criu.dump(request, whileFrozen);
  };
  const { generation } = await take({ ...machine.ports, criu: { ...criu, dump } }, lj);
  expect(generation).toMatchObject({ number: 3, kind: "base" });
  expect(machine.events).toContainEqual(
    expect.objectContaining({ type: "notice", text: expect.stringContaining("taking a base") }),
  );
});

test("while a criu that could not be ended may be taking pages still, the parent is not offered again", async () => {
  const machine = tracking();
  await start(machine.ports, aJob("lj", inDump));
  await take(machine.ports, lj);
  machine.failing.set("dump", Fault.of("dump-timeout", { job: "lj", seconds: 1, log: "a log" }));
  let dumped = false;
  const { criu } = machine.ports;
  const dump: typeof criu.dump = async (request, whileFrozen) => {
    dumped = true;
    return criu.dump(request, whileFrozen);
  };
  const ports: Ports = { ...machine.ports, criu: { ...criu, dump, stillDumping: async () => dumped } };
  await expect(take(ports, lj)).rejects.toMatchObject({ code: "dump-timeout" });
  expect(await states(machine)).toEqual(["1 consumed"]);
});

test("what is left of a consumed generation is not deduplicated: its holes would be stored as zeros", async () => {
  const machine = tracking();
  await start(machine.ports, aJob("lj", inDump));
  for (let number = 1; number <= 3; number++) await take(machine.ports, lj);
  const asked: number[] = [];
  const vault: Ports["vault"] = {
    ...machine.ports.vault,
    dedup: async (_, number) => {
      asked.push(number);
      return { pagesDropped: 0 };
    },
  };
  await dedup({ ...machine.ports, vault }, lj);
  expect(asked).toEqual([3]);
});

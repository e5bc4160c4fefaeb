import { expect, test } from "vitest";
import { planTake, type TakeFacts } from "../../../src/domain/plan-take.ts";
import { chainOf } from "./generations.ts";

const root = { pid: 300, startTicks: 77, bootId: "boot" };
const known = { type: "known", generation: 3, id: "id3", root, run: 1, criu: "4.2.1", tracking: "compare" } as const;
const sure: TakeFacts = {
  bits: known,
  root,
  run: 1,
  criu: "4.2.1",
  tracking: "compare",
  maxChain: 24,
  dedup: "exact",
  restoredFrom: new Set(),
  generations: chainOf("B1 i2 i3"),
};

test("an increment is taken where everything is certain, and names its parent", () => {
  expect(planTake(sure)).toEqual({ kind: "increment", parent: 3, dedup: "exact", reason: "the pages changed since generation 3" });
});

test.each<[string, Partial<TakeFacts>, string]>([
  [
    "nothing was taken yet",
    { bits: { type: "unknown", why: "no generation has been taken yet" }, generations: [] },
    "the first generation of this run",
  ],
  [
    "a restore came between",
    { bits: { type: "unknown", why: "the job was restored from point 2" }, run: 2 },
    "restored from point 2",
  ],
  [
    "the last dump failed",
    { bits: { type: "unknown", why: "the dump of generation 4 did not end well" } },
    "so the dirty bits are unknown",
  ],
  ["the run is another", { run: 2 }, "the first generation of this run"],
  ["the machine was rebooted", { root: { ...root, bootId: "later" } }, "the machine was started anew"],
  ["the pid is another", { root: { ...root, pid: 301 } }, "the process is another"],
  ["the pid was used again", { root: { ...root, startTicks: 78 } }, "the process is another"],
  ["the job executed a program", { executed: { before: "/bin/sh", now: "/usr/bin/lmp" } }, "runs /usr/bin/lmp in place of /bin/sh"],
  ["CRIU was changed", { criu: "4.3" }, "CRIU was 4.2.1 at the last generation and is 4.3 now"],
  ["the way of tracking was changed", { tracking: "soft-dirty" }, "found by a page compare at the last generation"],
  ["the head is gone", { generations: chainOf("B1 i2") }, "generation 3, the last one, is not in the vault"],
  ["the head's number is another generation's", { bits: { ...known, id: "other" } }, "is not in the vault"],
  ["the head is damaged", { generations: chainOf("B1 i2 i3x") }, "generation 3, the last one, is damaged"],
  ["the head did not come back", { generations: chainOf("B1 i2 i3f") }, "could not be brought back"],
  ["the head stands on damage", { generations: chainOf("B1x i2 i3") }, "stands on a damaged or missing one"],
  ["the head stands on nothing", { generations: chainOf("B1 i3<2") }, "stands on a damaged or missing one"],
  ["the chain is full", { maxChain: 3 }, "the chain has reached max-chain 3"],
])("a base is taken where %s, and the reason says so", (_, change, reason) => {
  const plan = planTake({ ...sure, ...change });
  expect(plan.kind).toBe("base");
  expect(plan.reason).toContain(reason);
});

test("a chain never grows beyond max-chain, and reaches it", () => {
  for (const maxChain of [1, 2, 5]) {
    const kinds: string[] = [];
    let text = "B1";
    for (let number = 2; number <= 12; number += 1) {
      const bits = { ...known, generation: number - 1, id: `id${number - 1}` };
      const { kind } = planTake({ ...sure, bits, maxChain, generations: chainOf(text) });
      kinds.push(kind);
      text += kind === "base" ? ` B${number}` : ` i${number}`;
    }
    const chains = text
      .split("B")
      .slice(1)
      .map((chain) => chain.trim().split(" ").length);
    expect(Math.max(...chains)).toBe(maxChain);
    expect(kinds).toContain("base");
  }
});

const inDump = {
  ...sure,
  bits: { ...known, tracking: "soft-dirty" },
  tracking: "soft-dirty",
  dedup: "in-dump",
  generations: chainOf("B1c i2c i3"),
} as const satisfies TakeFacts;

test("in-dump takes pages out of a chain that nothing but the head needs", () => {
  expect(planTake(inDump)).toMatchObject({ kind: "increment", parent: 3, dedup: "in-dump" });
  expect(planTake({ ...inDump, bits: { ...inDump.bits, generation: 1, id: "id1" }, generations: chainOf("B1") })).toMatchObject({
    kind: "increment",
    dedup: "in-dump",
  });
});

test.each<[string, Partial<TakeFacts>, string]>([
  ["an older point of the chain is offered", { generations: chainOf("B1 i2c i3") }, "generation 1 needs the chain"],
  ["an older one was withdrawn and is not swept yet", { generations: chainOf("B1e i2c i3") }, "generation 1 needs the chain"],
  ["another generation stands on the chain", { generations: chainOf("B1c i2c i3 i4<2") }, "generation 4 needs the chain"],
  [
    "the head is held",
    { generations: chainOf("B1c i2c i3").map((one) => ({ ...one, held: one.number === 3 })) },
    "generation 3 needs the chain",
  ],
  [
    "the head is proven",
    { generations: chainOf("B1c i2c i3").map((one) => ({ ...one, provenAt: one.number === 3 ? 1 : null })) },
    "generation 3 needs the chain",
  ],
  ["a run was restored from the head", { restoredFrom: new Set([3]) }, "generation 3 needs the chain"],
  [
    "the kernel tracks nothing",
    { tracking: "compare", bits: known },
    "without soft-dirty `in-dump` has nothing to leave to a parent",
  ],
])("in-dump makes a base where %s", (_, change, reason) => {
  const plan = planTake({ ...inDump, ...change });
  expect(plan.kind).toBe("base");
  expect(plan.reason).toContain(reason);
});

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
  generations: chainOf("B1 i2 i3"),
};

test("an increment is taken where everything is certain, and names its parent", () => {
  expect(planTake(sure)).toEqual({ kind: "increment", parent: 3, reason: "the pages changed since generation 3" });
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

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { startChild, together } from "./children.ts";

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-lease-"));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("of three processes that want one lease, exactly one has it at a time", async () => {
  const file = path.join(folder, "contended.sqlite");
  const inside = path.join(folder, "inside");
  const outputs = await together(3, "contend", () => [file, inside, "25"]);
  const refused = outputs.map((output) => Number(/refused (\d+)/.exec(output)?.[1]));
  // If nobody had ever been refused, they would have run one after another and shown nothing.
  expect(refused.reduce((sum, one) => sum + one)).toBeGreaterThan(0);
}, 60_000);

test("the lease of a killed process is taken over, that of a live one is not", async () => {
  const file = path.join(folder, "killed.sqlite");
  const child = startChild("hold", file);
  child.go();
  await child.said("held");
  const { catalogue } = await openCatalogue({ file });
  const lease = {
    name: "job:lj",
    token: "parent",
    owner: { pid: process.pid, startTicks: 0, bootId: "this" },
    verb: "take",
    expiresAt: 100,
  };
  const isAlive = (owner: { readonly pid: number }): boolean =>
    owner.pid !== child.process.pid || child.process.signalCode === null;
  expect(await catalogue.acquireLease(lease, 0, isAlive)).toMatchObject({ granted: false, holder: { verb: "restore" } });
  child.process.kill("SIGKILL");
  await child.end();
  expect(await catalogue.acquireLease(lease, 0, isAlive)).toMatchObject({ granted: true, tookOver: { token: "child" } });
  expect(await catalogue.renewLease("job:lj", "child", 200)).toBe(false);
  await catalogue.close();
}, 60_000);

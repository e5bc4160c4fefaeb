import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { differences } from "../../../src/host/drill/stopped-memory.ts";

let pid = 0;
let page = 0;
const bytes = Buffer.alloc(4096);
let child: ChildProcess;

beforeAll(async () => {
  child = spawn("sleep", ["60"]);
  await once(child, "spawn");
  pid = child.pid ?? 0;
  child.kill("SIGSTOP");
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  // The stack's area begins with pages nobody has touched: the last one holds the environment.
  page = Number.parseInt(/-([0-9a-f]+) .*\[stack\]/.exec(maps)?.[1] ?? "", 16) / 4096 - 1;
  const memory = await open(`/proc/${pid}/mem`);
  await memory.read(bytes, 0, 4096, page * 4096);
  await memory.close();
});
afterAll(() => child.kill("SIGKILL"));

const held = () => new Map([[300, pid]]);

test("a page that is as it should be is no difference", async () => {
  expect(bytes.some((byte) => byte !== 0)).toBe(true);
  expect(await differences(held(), [{ vpid: 300, page, bytes, unsteady: [] }])).toEqual([]);
});

test("one byte is a difference, and so are a page that is not there and a process that is not there", async () => {
  const other = Buffer.from(bytes);
  other[1234] = (other[1234] ?? 0) ^ 1;
  const wrong = [
    { vpid: 300, page, bytes: other, unsteady: [] },
    { vpid: 300, page: 1, bytes, unsteady: [] },
    { vpid: 301, page, bytes, unsteady: [] },
  ];
  expect(await differences(held(), wrong)).toEqual(wrong);
});

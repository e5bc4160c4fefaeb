import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Capture } from "../../../src/domain/captured.ts";
import { AheadCopies } from "../../../src/host/files/copies-ahead.ts";
import type { CopiesAhead } from "../../../src/engine/ports.ts";
import { findReached } from "../../../src/host/files/reach.ts";
import { rules, Scene } from "./scene.ts";

const wide = { ...rules, limitBytes: 64 * 1024 * 1024 };
const MIB = 1024 * 1024;

let scene: Scene;
let out: string;
let fd: number;
const later: (() => void)[] = [];
beforeEach(() => {
  scene = new Scene();
  out = join(scene.work, "out");
  writeFileSync(out, Buffer.alloc(5 * MIB + 100, "before, "));
  fd = scene.open(out, "r+");
});
afterEach(() => {
  for (const end of later.splice(0)) end();
  scene.remove();
});

/** `lookedAt` two seconds ahead: as if the file had been left alone for longer than it was. */
const copyAhead = async (lookedAt = Date.now() + 2000): Promise<CopiesAhead> =>
  scene.files.copyAhead(scene.tree(), lookedAt, wide, scene.generation);
const capture = async (ahead: CopiesAhead): Promise<Capture> => {
  const captured = await scene.files.capture(scene.tree(), wide, scene.generation, null, ahead);
  await ahead.close();
  return captured;
};
/** Would the copy be taken as it is, unread? */
const isBelieved = (ahead: CopiesAhead, path = out): boolean => {
  const seen = findReached({ path, reach: { type: "path" } });
  const early = seen && ahead instanceof AheadCopies ? ahead.take(seen, scene.tree()) : null;
  return early?.isUnchanged === true;
};

/** What a job may do to its file between the early copy and the freeze. */
const changes: Readonly<Record<string, () => void | Promise<void>>> = {
  nothing: () => undefined,
  "a write": () => void writeSync(fd, "after!", 3 * MIB),
  "a write, and the times set back": () => {
    writeSync(fd, "after!", 3 * MIB);
    utimesSync(out, 0, 0);
  },
  "a write at the end": () => appendFileSync(out, Buffer.alloc(3 * MIB, "more")),
  "a cut": () => truncateSync(out, 2 * MIB + 17),
  "a cut and growth to the same length": () => {
    truncateSync(out, MIB);
    truncateSync(out, 5 * MIB + 100);
  },
  "another file renamed over it": () => {
    writeFileSync(`${out}.new`, Buffer.alloc(4 * MIB, "other"));
    renameSync(`${out}.new`, out);
    scene.restate(fd, { inode: "0:0" });
  },
  "a write through a mapping": async () => map("map[3145728:3145734] = b'after!'"),
};

describe("a file copied before the freeze", () => {
  for (const [what, change] of Object.entries(changes)) {
    test(`is captured as it is at the freeze, after ${what}`, async () => {
      const ahead = await copyAhead();
      await change();
      if (what === "another file renamed over it") {
        // The job opened what it had put there.
        closeSync(fd);
        fd = openSync(out, "r+");
      }
      const atFreeze = readFileSync(out);
      const captured = await capture(ahead);
      expect(captured.files).toMatchObject([{ path: out, how: "copy", size: atFreeze.length, stored: "files/0" }]);
      expect(readFileSync(join(scene.generation, "files/0")).equals(atFreeze)).toBe(true);
      expect(readdirSync(join(scene.generation, "files"))).toEqual(["0"]);
    });
  }

  test("is captured right though a page that was dirty before is written through a mapping, which no time tells of", async () => {
    const writer = await mapped();
    scene.map(out, { shared: true, writable: true });
    await writer.say("map[4096] = 1");
    const ahead = await copyAhead();
    await writer.say("map[4096:4102] = b'after!'");
    const atFreeze = readFileSync(out);
    expect(atFreeze.subarray(4096, 4102).toString()).toBe("after!");
    await capture(ahead);
    expect(readFileSync(join(scene.generation, "files/0")).equals(atFreeze)).toBe(true);
  });
});

describe("an early copy is believed unread", () => {
  test("where the file was quiet and nothing was written", async () => {
    expect(isBelieved(await copyAhead())).toBe(true);
  });

  test("not where it was changed less than a second before the tree was looked at", async () => {
    expect(isBelieved(await copyAhead(Date.now()))).toBe(false);
  });

  for (const [what, change] of Object.entries(changes)) {
    if (what === "nothing") continue;
    test(`not after ${what}`, async () => {
      const ahead = await copyAhead();
      await change();
      expect(isBelieved(ahead)).toBe(false);
    });
  }

  test("not where a process maps it shared, be it for reading only, before or in the freeze", async () => {
    const before = await copyAhead();
    scene.map(out, { shared: true, writable: false });
    expect(isBelieved(before)).toBe(false);
    expect(isBelieved(await copyAhead())).toBe(false);
  });

  test("not where a write ends after the copy, whatever the times say", async () => {
    const ahead = await copyAhead();
    const before = findReached({ path: out, reach: { type: "path" } });
    // A write that has begun before the copy has moved the times before it, too: what is left of it is the word of its end.
    writeSync(fd, "late", 7);
    const early = before && ahead instanceof AheadCopies ? ahead.take(before, scene.tree()) : null;
    expect(early).toMatchObject({ isUnchanged: false });
  });

  test.skipIf(!existsSync("/dev/shm"))(
    "not on a tmpfs, which keeps no times of mappings (skipped where there is no /dev/shm)",
    async () => {
      const segment = join("/dev/shm", `holdfast-ahead-${process.pid}`);
      writeFileSync(segment, Buffer.alloc(2 * MIB));
      later.push(() => rmSync(segment));
      scene.open(segment, "r+");
      expect(isBelieved(await copyAhead(), segment)).toBe(false);
    },
  );
});

test("what is small, over the limit, or only appended to is not copied ahead", async () => {
  const [small, large, log] = ["small", "large", "log"].map((name) => join(scene.work, name)) as [string, string, string];
  writeFileSync(small, "x");
  writeFileSync(large, Buffer.alloc(MIB));
  truncateSync(large, wide.limitBytes + 1);
  writeFileSync(log, Buffer.alloc(2 * MIB));
  for (const [path, flags] of [
    [small, "r+"],
    [large, "r+"],
    [log, "a"],
  ] as const)
    scene.open(path, flags);
  const ahead = await copyAhead();
  expect(readdirSync(join(scene.generation, "files/ahead"))).toEqual(["0"]);
  await ahead.close();
});

test("copies that no capture took are gone when they are closed, which may be twice", async () => {
  const ahead = await copyAhead();
  await ahead.close();
  await ahead.close();
  expect(readdirSync(join(scene.generation, "files"))).toEqual([]);
});

/** Runs Python with `map`, a shared writable mapping of the file. */
async function mapped(): Promise<{ say(line: string): Promise<void> }> {
  const program = `
import mmap, sys
f = open(${JSON.stringify(out)}, 'r+b')
map = mmap.mmap(f.fileno(), 0)
print('ready', flush=True)
for line in sys.stdin:
    exec(line)
    print('done', flush=True)
`;
  const child = spawn("python3", ["-c", program], { stdio: ["pipe", "pipe", "inherit"] });
  later.push(() => child.kill("SIGKILL"));
  const answers = createInterface(child.stdout);
  await once(answers, "line");
  return {
    async say(line) {
      const answer = once(answers, "line");
      child.stdin.write(`${line}\n`);
      await answer;
    },
  };
}

async function map(line: string): Promise<void> {
  await (await mapped()).say(line);
}

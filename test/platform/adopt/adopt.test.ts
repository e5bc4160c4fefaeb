import { spawn } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { succeed } from "../child.ts";
import { gone, kill, openWorld, type RestoreDocument, type StartDocument, type StatusDocument, type World } from "../world.ts";

const platform = inject("platform");

/**
 * Counts until it is asked; then says in which phase it is, how far it is, and a number that its whole past went into. Status 7. One process,
 * which pauses on a pipe of its own: `criu dedup` gives up on a tree that has a process its parent generation had not.
 */
const program = `
exec 9<> <(:); p=1; i=0; v=1
while [ ! -e tell ]; do
  i=$((i+1)); v=$(( (v*31+i) % 1000003 ))
  if [ -e second ] && [ $p = 1 ]; then p=2; echo > ack; fi
  read -t 0.02 -u 9
done
echo "$p $i $v" > told; exit 7`;

type AdoptDocument = {
  readonly points: readonly {
    readonly number: number;
    readonly directory: string;
    readonly kind: string;
    readonly parent: number | null;
  }[];
  readonly refused: readonly { readonly name: string; readonly why: string }[];
};

describe.skipIf(!platform.ready)("points made by hand", () => {
  const criu = platform.ready ? platform.criu : [];
  let world: World;
  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(async () => world.close());

  const hand = (...parts: readonly string[]): string => path.join(world.root, "hand", ...parts);
  const file = (name: string): string => path.join(world.cwd, name);

  /** Lets the program see its second phase, and waits until it has; no file of it is open then. */
  async function secondPhase(): Promise<void> {
    await writeFile(file("second"), "");
    while (!existsSync(file("ack"))) await wait(20);
    await wait(200);
    await rm(file("second"));
    await rm(file("ack"));
  }

  async function restored(name: string, point: number): Promise<readonly number[]> {
    await rm(file("tell"), { force: true });
    await rm(file("told"), { force: true });
    const { pid } = await world.json<RestoreDocument>(["restore", name, "--point", String(point)]);
    await writeFile(file("tell"), "");
    await gone(pid, 60);
    const { jobs } = await world.json<StatusDocument>(["status", name]);
    expect(jobs).toMatchObject([{ state: "failed", run: { ending: { type: "exited", status: 7 } } }]);
    return (await readFile(file("told"), "utf8")).trim().split(" ").map(Number);
  }

  function pastOf(steps: number): number {
    let v = 1;
    for (let i = 1; i <= steps; i++) v = (v * 31 + i) % 1_000_003;
    return v;
  }

  test("two plain `criu dump`s become two points, and each goes on from its own moment", async () => {
    const started = spawn("/bin/bash", ["-c", program], { cwd: world.cwd, stdio: "ignore", detached: true });
    const pid = started.pid ?? 0;
    const dump = async (number: number): Promise<void> => {
      await mkdir(hand(String(number)), { recursive: true });
      await succeed([
        ...criu,
        "dump",
        "--no-default-config",
        "-t",
        String(pid),
        "-D",
        hand(String(number)),
        "-R",
        "-o",
        "dump.log",
      ]);
    };
    await wait(300);
    await dump(1);
    await secondPhase();
    await dump(2);
    await kill(pid);

    const adopted = await world.json<AdoptDocument>(["adopt", hand(), "--name", "byhand", "--every", "never"]);
    expect(adopted).toMatchObject({
      points: [
        { number: 1, kind: "base" },
        { number: 2, kind: "base" },
      ],
      refused: [],
    });
    expect(await world.json<StatusDocument>(["status", "byhand"])).toMatchObject({ jobs: [{ state: "crashed", newestPoint: 2 }] });
    for (const point of [1, 2]) {
      const [phase, steps = 0, past] = await restored("byhand", point);
      expect({ phase, past }).toEqual({ phase: point, past: pastOf(steps) });
    }
  });

  test("a chain that `criu dedup` punched gives its newest point, which goes on, and the older one is refused with the reason", async () => {
    await rm(file("tell"), { force: true });
    const started = await world.json<StartDocument>([
      "run",
      "--name",
      "chain",
      "--cwd",
      world.cwd,
      "--every",
      "never",
      "--",
      "/bin/bash",
      "-c",
      program,
    ]);
    await wait(300);
    await world.json(["take", "chain"]);
    await secondPhase();
    await world.json(["take", "chain"]);
    await kill(started.initPid);
    await rm(hand(), { recursive: true, force: true });
    await cp(path.join(world.vault, "jobs/chain/generations"), hand(), { recursive: true, verbatimSymlinks: true });
    const [sound] = (await world.json<AdoptDocument>(["adopt", hand(), "--name", "sound", "--every", "never"])).points.slice(-1);
    expect(sound).toMatchObject({ number: 2, kind: "increment", parent: 1 });

    await succeed([...criu, "dedup", "-D", hand("2"), "-o", path.join(world.root, "dedup.log")]);
    const ended = await world.run(["adopt", hand(), "--name", "punched", "--every", "never", "--json"]);
    expect(ended.status).toBe(3);
    const { points, refused } = JSON.parse(ended.stdout) as AdoptDocument;
    expect(points).toMatchObject([{ number: 2, directory: "2", kind: "base", parent: null }]);
    expect(refused).toMatchObject([{ name: "1", why: expect.stringContaining("criu dedup") }]);
    for (const [name, point] of [
      ["sound", 1],
      ["sound", 2],
      ["punched", 2],
    ] as const) {
      const [phase, steps = 0, past] = await restored(name, point);
      expect({ phase, past }).toEqual({ phase: point, past: pastOf(steps) });
    }
  });
});

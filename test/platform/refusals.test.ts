import { spawn, type ChildProcess } from "node:child_process";
import { cp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { table, type FaultCode } from "../../src/faults/table.ts";
import { child, succeed } from "./child.ts";
import { guard, pointsOf } from "./guard.ts";
import { oldCriu } from "./old-criu.ts";
import { proofs } from "./proof-programs.ts";
import { launcher } from "./setup.ts";
import { type Snapshot, snapshot } from "./snapshot.ts";
import { kill, lives, openWorld, type StartDocument, type StatusDocument, type TakeDocument, type World } from "./world.ts";

const platform = inject("platform");
const programs = platform.ready ? platform.programs : "";
/** What a refusal may leave: logs, the empty folder of locks, and the catalogue's notes, which lie elsewhere. */
const apart = /(^|\/)(logs|locks|output)(\/|$)/;

/** A job that ended by SIGKILL and has points 1 to 3, and one that runs and has point 1. */
const gone = "gone";
const alive = "alive";

describe.skipIf(!platform.ready)("refused with a clear fault, and nothing changed", () => {
  let world: World;
  let running: StartDocument;
  let before: { readonly vault: Snapshot; readonly work: Snapshot; readonly jobs: unknown };
  const others: ChildProcess[] = [];
  let server: Server;
  const pids: Record<string, number> = {};

  beforeAll(async () => {
    world = await openWorld();
    const { started } = await guard(world, { ...proofs.single, name: gone }, programs, "", 3);
    await kill(started.initPid);
    // The end of that run is written down by the first verb that meets it; here it is no change any more.
    await world.fault(["restore", gone, "--point", "99"]);
    const idle = path.join(world.root, "idle");
    await succeed(["mkdir", idle]);
    running = await world.json<StartDocument>(["run", "--name", alive, "--cwd", idle, "--every", "never", "--", "sleep", "3600"]);
    await world.json<TakeDocument>(["take", alive]);
    server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    pids["outside"] = await start([`${programs}/outside`, String(typeof address === "object" ? address?.port : 0)]);
    pids["io_uring"] = await start([`${programs}/iouring`]);
    pids["sleep"] = await start(["sleep", "3600"]);
    before = await look();
  });

  afterAll(async () => {
    for (const one of others) one.kill("SIGKILL");
    server.close();
    await world.close();
  });

  afterEach(async () => {
    expect(await look()).toEqual(before);
    expect(await lives(running.pid)).toBe(true);
    expect(await readFile(`/proc/${running.pid}/stat`, "utf8"), "not left stopped").toMatch(/\) [SR] /);
  });

  type Row = {
    readonly what: string;
    readonly words: () => readonly string[];
    readonly env?: () => Promise<Record<string, string>>;
    readonly code: FaultCode;
    readonly says?: RegExp;
  };
  const rows: readonly Row[] = [
    ...[["take"], ["points"], ["restore"], ["status"], ["logs"], ["stop"], ["resume"], ["retire"]].map(([verb = ""]): Row => ({
      what: `${verb} of an unknown job`,
      words: () => [verb, "nobody"],
      code: "job-unknown",
    })),
    { what: "export of an unknown job", words: () => ["export", "nobody", path.join(world.root, "x")], code: "job-unknown" },
    { what: "an unknown point", words: () => ["restore", gone, "--point", "99"], code: "point-unknown" },
    {
      what: "export of an unknown point",
      words: () => ["export", gone, "--point", "99", path.join(world.root, "x")],
      code: "point-unknown",
    },
    { what: "an unknown timeline", words: () => ["restore", gone, "--timeline", "9"], code: "timeline-unknown" },
    {
      what: "a time before the first point",
      words: () => ["restore", gone, "--at", "2001-01-01T00:00:00Z"],
      code: "no-point-before",
    },
    { what: "what is no time", words: () => ["restore", gone, "--at", "soonish"], code: "time-invalid" },
    { what: "restoring a job that runs", words: () => ["restore", alive], code: "still-running" },
    { what: "taking a job that does not run", words: () => ["take", gone], code: "not-running" },
    { what: "a pid that does not exist", words: () => ["protect", "4194303", "--name", "new"], code: "pid-unknown" },
    { what: "a thread of the kernel", words: () => ["protect", "2", "--name", "new"], code: "pid-kernel-thread" },
    { what: "protecting the caller", words: () => ["protect", String(process.pid), "--name", "new"], code: "pid-self" },
    {
      what: "a TCP connection to the outside",
      words: () => ["protect", String(pids["outside"]), "--name", "new"],
      code: "unprotectable",
      says: /tcp/i,
    },
    {
      what: "a process that uses io_uring",
      words: () => ["protect", String(pids["io_uring"]), "--name", "new"],
      code: "unprotectable",
      says: /io_uring/,
    },
    { what: "a name that is taken", words: () => ["run", "--name", gone, "--", "sleep", "1"], code: "name-taken" },
    {
      what: "protecting under a name that is taken",
      words: () => ["protect", String(pids["sleep"]), "--name", gone],
      code: "name-taken",
    },
    { what: "a name with a slash", words: () => ["run", "--name", "a/b", "--", "sleep", "1"], code: "name-invalid" },
    { what: "a name with a slash, given to restore", words: () => ["restore", "../gone"], code: "name-invalid" },
    {
      what: "settings with an unknown key",
      words: () => ["take", alive, "--config", path.join(world.root, "wrong.toml")],
      code: "settings-invalid",
    },
    {
      what: "a settings file that is not there",
      words: () => ["take", alive, "--config", path.join(world.root, "none.toml")],
      code: "settings-missing",
    },
    {
      what: "an unknown variable",
      words: () => ["take", alive],
      env: async () => ({ HOLDFAST_VALUT: "/x" }),
      code: "settings-invalid",
    },
    { what: "a command that is not there", words: () => ["run", "--name", "new", "--", "/no/such/program"], code: "launch-failed" },
    {
      what: "CRIU missing, at a take",
      words: () => ["take", alive],
      env: async () => ({ HOLDFAST_CRIU_PATH: "/no/criu" }),
      code: "criu-missing",
    },
    {
      what: "CRIU missing, at a restore",
      words: () => ["restore", gone],
      env: async () => ({ HOLDFAST_CRIU_PATH: "/no/criu" }),
      code: "criu-missing",
    },
    {
      what: "CRIU too old, at a take",
      words: () => ["take", alive],
      env: async () => ({ HOLDFAST_CRIU_PATH: await oldCriu() }),
      code: "criu-too-old",
    },
    {
      what: "CRIU too old, at a restore",
      words: () => ["restore", gone],
      env: async () => ({ HOLDFAST_CRIU_PATH: await oldCriu() }),
      code: "criu-too-old",
    },
  ];

  test.each(rows)("$what: $code", async ({ words, env, code, says }) => {
    await writeFile(path.join(world.root, "wrong.toml"), '[vault]\npath = "/x"\nmin-fre = "1GiB"\n');
    const refusal = await world.fault(words(), await env?.());
    expect(refusal, refusal.message).toMatchObject({ code, status: table[code].exit });
    if (says) expect(refusal.message).toMatch(says);
    expect(refusal.message).not.toMatch(/\{\w+\}/);
    expect(refusal.remedy).not.toMatch(/\{\w+\}/);
  });

  test("settings with an unknown key are told with the line and the key that was meant", async () => {
    const file = path.join(world.root, "wrong.toml");
    await writeFile(file, '[vault]\npath = "/x"\nmin-fre = "1GiB"\n');
    const { message } = await world.fault(["take", alive, "--config", file]);
    expect(message).toContain(file);
    expect(message).toMatch(/\b3\b/);
    expect(message).toMatch(/vault\.min-fre/);
    expect(message).toMatch(/min-free/);
  });

  test.each(["take", "restore", "run", "protect", "stop", "resume", "retire", "export", "serve"])(
    "%s without root: not-root",
    async (verb) => {
      const words: Record<string, readonly string[]> = {
        run: ["run", "--name", "new", "--json", "--", "sleep", "1"],
        protect: ["protect", String(pids["sleep"]), "--name", "new", "--json"],
        export: ["export", gone, "/tmp/x", "--json"],
        serve: ["serve", "--json"],
      };
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      const ended = await child([...nobody, launcher, ...(words[verb] ?? [verb, gone, "--json"])], { env: world.env });
      expect(JSON.parse(ended.stdout)).toMatchObject({ fault: { code: "not-root" } });
      expect(ended.status).toBe(table["not-root"].exit);
    },
  );

  async function look() {
    const { jobs } = await world.json<StatusDocument>(["status"]);
    return {
      vault: await snapshot(world.vault, apart),
      work: await snapshot(world.cwd),
      jobs: jobs.map(({ name, state, newestPoint, run }) => ({ name, state, newestPoint, run })),
    };
  }

  async function start(words: readonly string[]): Promise<number> {
    // Open files that the test's own parent left open must not be what is refused.
    const close = 'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -gt 2 ] && eval "exec $fd>&-"; done; exec "$@"';
    const started = spawn("bash", ["-c", close, "bash", ...words], { stdio: "ignore", detached: true });
    others.push(started);
    await wait(300);
    if (started.pid === undefined || started.exitCode !== null) throw new Error(`${words[0]} ended with ${started.exitCode}`);
    return started.pid;
  }
});

describe.skipIf(!platform.ready)("damage in the vault is met before anything is changed", () => {
  let world: World;

  beforeAll(async () => {
    world = await openWorld();
    const { started } = await guard(world, { ...proofs.single, name: gone }, programs, "", 3);
    await kill(started.initPid);
  });
  afterAll(async () => world.close());

  const generation = (root: string, number: number) => path.join(root, "vault/jobs", gone, "generations", String(number));
  const rows: readonly {
    readonly what: string;
    damage(root: string): Promise<void>;
    /** The fault at each point, oldest first; `null`: it is as good as before. */
    readonly faults: readonly (FaultCode | null)[];
  }[] = [
    {
      what: "a flipped bit in a pages file",
      damage: async (root) => flip(path.join(generation(root, 2), "pages-1.img"), 5000),
      faults: [null, "point-damaged", "chain-broken"],
    },
    {
      what: "a pages file cut short",
      damage: async (root) => cut(path.join(generation(root, 2), "pages-1.img")),
      faults: [null, "point-damaged", "chain-broken"],
    },
    {
      what: "a captured file that was changed",
      damage: async (root) => flip(path.join(generation(root, 3), "files/0"), 10),
      faults: [null, null, "point-damaged"],
    },
    {
      what: "a missing image",
      damage: async (root) => rm(path.join(generation(root, 3), "core-300.img")),
      faults: [null, null, "point-damaged"],
    },
    {
      what: "a manifest that was edited",
      damage: async (root) => edit(path.join(generation(root, 2), "holdfast.json")),
      faults: [null, "point-damaged", "chain-broken"],
    },
  ];

  test.each(rows)("$what", async ({ damage, faults }) => {
    for (const [index, code] of faults.entries()) {
      const root = await copyOf(world);
      await damage(root);
      const env = { HOLDFAST_VAULT: path.join(root, "vault"), HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite") };
      const before = [await snapshot(path.join(root, "vault/jobs", gone, "generations")), await snapshot(world.cwd)];
      if (code !== null) {
        const refusal = await world.fault(["restore", gone, "--point", String(index + 1)], env);
        expect(refusal, refusal.message).toMatchObject({ code, status: table[code].exit });
        expect([await snapshot(path.join(root, "vault/jobs", gone, "generations")), await snapshot(world.cwd)]).toEqual(before);
        const { jobs } = await world.json<StatusDocument>(["status", gone], env);
        expect(jobs).toMatchObject([{ state: "crashed" }]);
        // L1: what was found damaged is offered no more, and what is older still is.
        const offered = (await world.json<{ points: { number: number }[] }>(["points", gone], env)).points.map(
          (point) => point.number,
        );
        expect(offered).toEqual(faults.flatMap((fault, at) => (fault === null ? [at + 1] : [])));
      }
      await rm(root, { recursive: true });
    }
  });

  test("a missing parent takes its increments off the offer, and the fault says so", async () => {
    const root = await copyOf(world);
    const env = { HOLDFAST_VAULT: path.join(root, "vault"), HOLDFAST_CATALOGUE: path.join(root, "catalogue.sqlite") };
    await rm(generation(root, 2), { recursive: true });
    const before = [await snapshot(path.join(root, "vault/jobs", gone, "generations")), await snapshot(world.cwd)];
    const refusal = await world.fault(["restore", gone, "--point", "3"], env);
    expect(refusal, refusal.message).toMatchObject({ code: "chain-broken", status: table["chain-broken"].exit });
    const { points } = await world.json<{ points: { number: number }[] }>(["points", gone], env);
    expect(points.map((point) => point.number)).toEqual([1]);
    expect([await snapshot(path.join(root, "vault/jobs", gone, "generations")), await snapshot(world.cwd)]).toEqual(before);
    await rm(root, { recursive: true });
  });

  /** Vault and catalogue beside the ones of the world: each damage has its own. */
  async function copyOf({ root, vault, env }: World): Promise<string> {
    const copy = path.join(root, "copy");
    await cp(vault, path.join(copy, "vault"), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    for (const end of ["", "-wal", "-shm"]) {
      const file = `${env["HOLDFAST_CATALOGUE"] ?? ""}${end}`;
      if (await stat(file).catch(() => null)) await cp(file, path.join(copy, `catalogue.sqlite${end}`));
    }
    return copy;
  }
});

describe.skipIf(!platform.ready)("a vault on a file system of its own", () => {
  let world: World;
  let started: StartDocument;
  /** 48 MiB of memory that no page compare can shrink. */
  const job = () => [`${programs}/single`, "100000", "5000", "48"];

  beforeEach(async () => {
    world = await openWorld();
    await succeed(["mkdir", world.vault]);
    await succeed(["mount", "-t", "tmpfs", "-o", "size=200M,mode=0700", "holdfast-test", world.vault]);
    const output = path.join(world.root, "out");
    started = await world.json<StartDocument>([
      "run",
      "--name",
      "job",
      "--cwd",
      world.cwd,
      "--every",
      "never",
      "--keep",
      "all",
      "--output",
      output,
      "--",
      ...job(),
    ]);
    await world.json<TakeDocument>(["take", "job"]);
  });
  afterEach(async () => {
    await kill(started.initPid);
    await succeed(["umount", world.vault]);
    await world.close();
  });

  test("with less room than vault.min-free no generation is begun: space-short", async () => {
    const before = await snapshot(world.vault, apart);
    const refusal = await world.fault(["take", "job"], { HOLDFAST_VAULT_MIN_FREE: "1GiB" });
    expect(refusal).toMatchObject({ code: "space-short", status: table["space-short"].exit });
    expect(await snapshot(world.vault, apart)).toEqual(before);
    expect(await runsOn()).toBe(true);
  });

  test("full in the middle of a dump: vault-full, the job runs on, and the next generation is a base that says why", async () => {
    await succeed(["mount", "-o", "remount,size=80M", world.vault]);
    const before = await snapshot(path.join(world.vault, "jobs/job/generations"));
    const refusal = await world.fault(["take", "job"]);
    expect(refusal).toMatchObject({ code: "vault-full", status: table["vault-full"].exit });
    expect(await snapshot(path.join(world.vault, "jobs/job/generations"))).toEqual(before);
    expect((await pointsOf(world, "job")).map((point) => point.number)).toEqual([1]);
    expect(await runsOn()).toBe(true);
    await succeed(["mount", "-o", "remount,size=400M", world.vault]);
    const next = await world.json<TakeDocument>(["take", "job"]);
    expect(next).toMatchObject({ kind: "base", parent: null });
    expect(next.reason).toMatch(/did not end well/);
  });

  test("mounted for reading only: vault-unwritable, and every point is still listed", async () => {
    await succeed(["mount", "-o", "remount,ro", world.vault]);
    const before = await snapshot(world.vault);
    for (const words of [
      ["take", "job"],
      ["run", "--name", "new", "--", "sleep", "60"],
    ]) {
      const refusal = await world.fault(words);
      expect(refusal).toMatchObject({ code: "vault-unwritable", status: table["vault-unwritable"].exit });
    }
    expect((await pointsOf(world, "job")).map((point) => point.number)).toEqual([1]);
    expect(await snapshot(world.vault)).toEqual(before);
    expect(await runsOn()).toBe(true);
    await succeed(["mount", "-o", "remount,rw", world.vault]);
    expect(await world.json<TakeDocument>(["take", "job"])).toMatchObject({ point: 2 });
  });

  /** The job goes on writing. */
  async function runsOn(): Promise<boolean> {
    const size = async () => (await stat(path.join(world.cwd, "append.log"))).size;
    const before = await size();
    for (let tries = 0; tries < 100; tries++) {
      if ((await size()) > before) return true;
      await wait(50);
    }
    return false;
  }
});

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

async function cut(file: string): Promise<void> {
  const handle = await open(file, "r+");
  await handle.truncate((await handle.stat()).size - 4096);
  await handle.close();
}

async function edit(file: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/"freezeMicros": *\d+/, '"freezeMicros":1'));
}

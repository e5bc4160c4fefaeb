import { spawn } from "node:child_process";
import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { child, succeed } from "../child.ts";
import { until } from "../service/service.ts";
import { launcher } from "../setup.ts";
import { lives, openWorld, type StartDocument, type StatusDocument, type World } from "../world.ts";

const platform = inject("platform");
const reason = platform.ready ? "" : ` (skipped: ${platform.why})`;

describe.skipIf(!platform.ready)(`a job that is launched${reason}`, () => {
  let world: World;

  const run = (name: string, words: readonly string[]) =>
    world.json<StartDocument>(["run", "--name", name, "--every", "never", "--cwd", world.cwd, ...words]);
  const job = async (name: string) => (await world.json<StatusDocument>(["status", name])).jobs[0];
  const output = (name: string) => readFile(path.join(world.vault, "jobs", name, "output/out"), "utf8");

  beforeAll(async () => {
    world = await openWorld();
  });
  afterAll(async () => {
    await world.close();
  });

  test("gets the streams, folder, variables, limits and user it was asked for", async () => {
    const script = "echo out; echo err >&2; pwd; echo $K $HOME $USER; ulimit -n; id -u; id -g; id -G; exec sleep 3600";
    const { stdout: passwd } = await child(["getent", "passwd", "nobody"]);
    const [, , uid = "", gid = "", , home = ""] = passwd.trim().split(":");
    await writeFile(path.join(world.cwd, "out"), "before\n");
    const asked = ["--env", "K=V", "--user", "nobody", "--limit", "nofile=123", "--output", "out", "--error", "err"];
    const { pid } = await run("asked", [...asked, "--", "sh", "-c", script]);
    await until("what it prints", async () => (await readFile(path.join(world.cwd, "out"), "utf8")).split("\n").length >= 9);
    expect((await readFile(path.join(world.cwd, "out"), "utf8")).split("\n")).toEqual([
      "before",
      "out",
      world.cwd,
      `V ${home} nobody`,
      "123",
      uid,
      gid,
      gid,
      "",
    ]);
    expect(await readFile(path.join(world.cwd, "err"), "utf8")).toBe("err\n");
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    expect(/^Uid:\t(.*)$/m.exec(status)?.[1]).toBe([uid, uid, uid, uid].join("\t"));
    expect(/^Groups:\t(.*)$/m.exec(status)?.[1]?.trim()).toBe(gid);
    expect(/^CapEff:\t(.*)$/m.exec(status)?.[1]).toBe("0000000000000000");
    expect(await readlink(`/proc/${pid}/fd/0`)).toBe("/dev/null");
    for (const stream of [1, 2]) {
      const flags = parseInt(/^flags:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/fdinfo/${stream}`, "utf8"))?.[1] ?? "0", 8);
      expect(flags & 0o2003).toBe(0o2001);
    }
  });

  test("lives in pid, mount and IPC namespaces and a session of its own, and keeps the host's others", async () => {
    const { pid, initPid } = await run("alone", ["--", "sleep", "3600"]);
    const own: Record<string, boolean> = {};
    for (const name of ["pid", "mnt", "ipc", "net", "uts", "user"]) {
      own[name] = (await readlink(`/proc/${pid}/ns/${name}`)) !== (await readlink(`/proc/self/ns/${name}`));
    }
    expect(own).toEqual({ pid: true, mnt: true, ipc: true, net: false, uts: false, user: false });
    expect(await session(pid)).toBe(pid);
    expect(await session(initPid)).toBe(initPid);
    expect(await readFile(`/proc/${initPid}/status`, "utf8")).toMatch(/^NSpid:\t\d+\t1$/m);
    expect(await readlink(`/proc/${pid}/fd/1`)).toBe(path.join(world.vault, "jobs/alone/output/out"));
  });

  test("needs no system folders in its PATH for the user and the limits it was asked for", async () => {
    const asked = ["--env", "PATH=/nonexistent", "--user", "nobody", "--limit", "core=0"];
    const { pid } = await run("path", [...asked, "--", "/bin/sleep", "3600"]);
    expect(await readFile(`/proc/${pid}/limits`, "utf8")).toMatch(/^Max core file size +0 +0 /m);
  });

  test("is told of SIGTERM as a whole group", async () => {
    const one = (name: string, then: string) => `trap 'echo ${name}; ${then}' TERM; echo ready; while :; do sleep 0.1; done`;
    await run("group", ["--", "sh", "-c", `(${one("child", "exit")}) & ${one("parent", "wait; exit 5")}`]);
    await until("both ready", async () => (await output("group")) === "ready\nready\n");
    await world.json(["stop", "group", "--no-take"]);
    expect((await output("group")).split("\n")).toEqual(expect.arrayContaining(["child", "parent"]));
    expect(await job("group")).toMatchObject({ state: "stopped", run: { ending: { type: "exited", status: 5 } } });
  });

  test("leaves no zombies: its orphans are reaped", async () => {
    const { pid, initPid } = await run("orphans", [
      "--",
      "sh",
      "-c",
      "for i in 1 2 3 4 5; do (sleep 0.$i & echo $i); done; exec sleep 3600",
    ]);
    const children = () => readFile(`/proc/${initPid}/task/${initPid}/children`, "utf8");
    await until("five orphans", async () => (await output("orphans")).split("\n").length >= 6);
    await until("an init with one child", async () => (await children()).trim() === String(pid));
  });

  test("that ends at once was started, and how it ended is known", async () => {
    for (const [name, script] of [
      ["at-once-3", "exit 3"],
      ["at-once-9", "kill -9 $$"],
      ["at-once-0", "exit 0"],
    ] as const)
      await run(name, ["--", "sh", "-c", script]);
    expect(await job("at-once-3")).toMatchObject({ state: "failed", run: { ending: { type: "exited", status: 3 } } });
    expect(await job("at-once-9")).toMatchObject({ state: "failed", run: { ending: { type: "signaled", signal: 9 } } });
    expect(await job("at-once-0")).toMatchObject({ state: "finished", run: { ending: { type: "exited", status: 0 } } });
  });

  test.each([
    ["as the caller", []],
    ["as another user", ["--user", "nobody"]],
  ])("without a program is refused %s, and the name is free again", async (_, user) => {
    const words = ["run", "--name", "free", "--every", "never", "--cwd", world.cwd, ...user, "--"];
    const refused = await world.fault([...words, "no-such-program"]);
    expect(refused).toMatchObject({ status: 14, code: "launch-failed" });
    expect(refused.message).toContain("no-such-program");
    expect((await world.fault(["status", "free"])).code).toBe("job-unknown");
    await world.json([...words, "true"]);
    await world.json(["retire", "free"]);
  });

  test("lives on when the command line that started it is killed, and is found again", async () => {
    const words = ["run", "--name", "cut", "--every", "never", "--cwd", world.cwd, "--", "sleep", "3600"];
    const started = spawn(launcher, words, { env: { ...process.env, ...world.env }, stdio: "ignore", detached: true });
    const folder = path.join(world.vault, "jobs/cut/runs/1");
    await until("a job that runs", async () => (await readFile(path.join(folder, "root"), "utf8").catch(() => "")) !== "");
    try {
      process.kill(-(started.pid ?? 0), "SIGKILL");
    } catch {
      // It had ended already: then this is the plain case.
    }
    const initPid = Number(await readFile(path.join(folder, "init"), "utf8"));
    expect(await world.json(["take", "cut"])).toMatchObject({ point: 1, run: 1 });
    expect(await job("cut")).toMatchObject({ state: "running", run: { initPid } });
    expect(await lives(initPid)).toBe(true);
  });

  test("sees mounts that are made later on the host, and the host sees none of its own", async () => {
    const shared = path.join(world.root, "shared");
    await mkdir(shared);
    await succeed(["mount", "-t", "tmpfs", "holdfast-test", shared]);
    try {
      await succeed(["mount", "--make-shared", shared]);
      const { pid, initPid } = await run("mounts", ["--", "sleep", "3600"]);
      await mkdir(path.join(shared, "host"));
      await mkdir(path.join(shared, "job"));
      await succeed(["mount", "-t", "tmpfs", "holdfast-test-host", path.join(shared, "host")]);
      await succeed(["nsenter", "-t", String(pid), "-m", "mount", "-t", "tmpfs", "holdfast-test-job", path.join(shared, "job")]);
      expect(await readFile(`/proc/${pid}/mountinfo`, "utf8")).toContain("- tmpfs holdfast-test-host ");
      expect(await readFile(`/proc/${pid}/mountinfo`, "utf8")).toContain("- tmpfs holdfast-test-job ");
      expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain("- tmpfs holdfast-test-job ");
      process.kill(initPid, "SIGKILL");
    } finally {
      await child(["umount", "-R", shared]);
    }
  });
});

/** Field 6 of `/proc/PID/stat`. */
async function session(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
}

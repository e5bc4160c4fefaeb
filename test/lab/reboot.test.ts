import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { compareVersions } from "../../src/domain/version.ts";
import { inLab } from "./floor.ts";
import {
  allRight,
  type Faulty,
  finish,
  moreSteps,
  pages,
  type Restored,
  type Started,
  startJob,
  startPages,
  type Taken,
} from "./job.ts";
import type { Lab } from "./lab.ts";

type Points = { readonly points: readonly { readonly number: number; readonly time: string; readonly run: number }[] };

const vault = "/vault/holdfast";
/** No recovery by the service, which the last test starts. */
const alone = "--on-crash ask";
/** An older CRIU than the settings name, for those commands that have this before them. */
const withOldCriu = "HOLDFAST_CRIU_PATH=/opt/criu-old";
/** A program with libraries of its own, as a package would bring them. */
const upgraded = "/work/mapped/package";

inLab("after a reboot", (lab) => {
  let pids: readonly number[] = [];
  let criuDiffers = false;

  test("(before it, jobs are guarded)", async () => {
    await startPages(lab(), "pids", alone);
    await moreSteps(lab(), "pids", 2);
    expect(await lab().json<Taken>("take pids")).toMatchObject({ point: 1 });
    pids = await allPids(lab());
    // The host's numbers of init, program and child, and those of the last two in the job's own namespace.
    expect(pids.length).toBeGreaterThanOrEqual(5);

    await startMapped(lab());
    await moreSteps(lab(), "mapped", 2);
    expect(await lab().json<Taken>("take mapped")).toMatchObject({ point: 1 });

    const [present, old] = [await version(lab(), ""), await version(lab(), withOldCriu)];
    criuDiffers = compareVersions(old, present) < 0;
    process.stderr.write(`CRIU ${present}, and ${old} beside it\n`);
    if (criuDiffers) await dumpWithTwoCrius(lab(), old, present);

    // What was copied just now is no part of any point.
    await lab().must("sync");
    await lab().powerCut();
    await lab().boot();
  });

  test("a job all of whose pids other processes have taken comes back", async () => {
    await lab().must(
      pids
        .map((pid) => `[ -e /proc/${pid} ] || { echo ${pid - 1} >/proc/sys/kernel/ns_last_pid; sleep 100000 >/dev/null 2>&1 & }`)
        .join("\n"),
    );
    await lab().must(pids.map((pid) => `[ -e /proc/${pid} ] || { echo ${pid} is free; exit 1; }`).join("\n"));
    const restored = await lab().json<Restored>("restore pids");
    await moreSteps(lab(), "pids", 2);
    expect(await finish(lab(), "pids", restored.run)).toEqual(allRight);
  });

  const replaced = {
    "bin/python3": `size=$(stat -c %s $file); cp $file $file.new; printf X | dd of=$file.new bs=1 seek=$((size - 1)) conv=notrunc 2>/dev/null`,
    "lib/libz.so.1": "cp $file $file.new; printf upgrade >>$file.new",
  };
  for (const [name, upgrade] of Object.entries(replaced)) {
    test(`a job whose ${name} an upgrade has replaced is refused with the name of the file, and nothing is touched`, async () => {
      const file = `${upgraded}/${name}`;
      await lab().must(`file=${file}; cp $file /work/mapped/saved; ${upgrade}; mv $file.new $file`);
      const before = await traces(lab());
      const { status, said } = await lab().holdfast("restore mapped");
      process.stderr.write(`${name} replaced: ${said}`);
      expect(status).toBe(12);
      const { fault } = JSON.parse(said) as Faulty & { fault: { remedy: string } };
      expect(fault.code).toBe("file-changed");
      expect(fault.message).toContain(file);
      expect(fault.remedy).toContain("put that file back");
      expect(await traces(lab())).toBe(before);
      // As from the package's archive: the old content under a new inode and time.
      await lab().must(`cp /work/mapped/saved ${file}.new; chmod 755 ${file}.new; mv ${file}.new ${file}`);
    });
  }

  test("with the old files put back it comes back", async () => {
    const restored = await lab().json<Restored>("restore mapped");
    await moreSteps(lab(), "mapped", 2);
    expect(await finish(lab(), "mapped", restored.run)).toEqual(allRight);
  });

  test("a point of an older CRIU comes back with the newer, never the other way round", async (context) => {
    context.skip(!criuDiffers, "the lab has one version of CRIU only");
    const refused = await lab().run(`${withOldCriu} holdfast restore twice --point 2 --json`, 240);
    process.stderr.write(`an older CRIU: ${refused.stdout}${refused.stderr}`);
    expect(refused.status).toBe(12);
    expect((JSON.parse(refused.stdout || refused.stderr) as Faulty).fault.code).toBe("criu-differs");
    for (const point of [2, 1]) {
      const restored = await lab().json<Restored>(`restore twice --point ${point} --replace --no-take`);
      expect(restored.point).toBe(point);
      await moreSteps(lab(), "twice", 2);
      if (point === 1) expect(await finish(lab(), "twice", restored.run)).toEqual(allRight);
    }
  });
});

/** Every pid, in every namespace, of what runs in a pid namespace of its own. */
async function allPids(lab: Lab): Promise<readonly number[]> {
  const lines = await lab.must("awk '/^NSpid:/ && NF > 2' /proc/[0-9]*/status 2>/dev/null; true");
  const all = lines.match(/\d+/g) ?? [];
  return [...new Set(all.map(Number))].filter((pid) => pid > 1);
}

async function startMapped(lab: Lab): Promise<Started> {
  const program = readFileSync(path.join(import.meta.dirname, "programs/mapped.py"), "utf8");
  await lab.must(`mkdir -p ${upgraded}/bin ${upgraded}/lib
    cp -L /usr/bin/python3 ${upgraded}/bin/
    for name in libz.so.1 libexpat.so.1; do cp -L $(find /usr/lib -name $name | head -n 1) ${upgraded}/lib/; done
    cat >/work/mapped/mapped.py <<'end of program'
${program}
end of program`);
  const variables = `--env LD_LIBRARY_PATH=${upgraded}/lib --env PYTHONHOME=/usr`;
  return startJob(lab, "mapped", `${upgraded}/bin/python3 -S /work/mapped/mapped.py log`, `${alone} ${variables}`);
}

/** What a restore would leave behind, if it began. */
async function traces(lab: Lab): Promise<string> {
  return lab.must(
    // Names, not times: the end of the run before the reboot is written down by whoever comes first.
    `sha256sum /work/mapped/log; ls -A ${vault}/jobs/mapped/runs ${vault}/jobs/mapped/undo 2>/dev/null; pgrep python3; true`,
  );
}

async function version(lab: Lab, variables: string): Promise<string> {
  const said = await lab.must(`${variables} holdfast doctor --json`, 240);
  return (JSON.parse(said) as { criu: { version: string } }).criu.version;
}

async function dumpWithTwoCrius(lab: Lab, old: string, present: string): Promise<void> {
  await startPages(lab, "twice", alone);
  await moreSteps(lab, "twice", 2);
  expect(JSON.parse(await lab.must(`${withOldCriu} holdfast take twice --json`, 240))).toMatchObject({ point: 1, kind: "base" });
  await moreSteps(lab, "twice", 2);
  const next = await lab.json<Taken>("take twice");
  expect(next).toMatchObject({ point: 2, kind: "base", parent: null });
  expect(next.reason).toBe(`CRIU was ${old} at the last generation and is ${present} now`);
}

/** Seconds between generations. */
const interval = 20;
/** Beginning a thread of the service's takes seconds under emulation, and a tick comes when it can. */
const lateness = 15;

inLab("a clock set back by an hour", (lab) => {
  const generations = `${vault}/jobs/clock/generations`;

  test("the service goes on within an interval, numbers rise, and no newer point is lost for an older one", async () => {
    await lab().must(`sed -i '/\\[vault\\]/i zone = "UTC"' /etc/holdfast/holdfast.toml`);
    await lab().must("setsid holdfast serve >>/work/serve.log 2>&1 </dev/null & sleep 1");
    await startJob(lab(), "clock", `${pages} run log 500000`, `--every ${interval}s --keep 'last=2, within=30m' ${alone}`);
    const first = await afterTake(lab(), 0);
    const second = await afterTake(lab(), first.number);
    await lab().must("busybox date -s @$(($(date +%s) - 3600)) >/dev/null");
    const third = await afterTake(lab(), second.number);
    const fourth = await afterTake(lab(), third.number);
    const [before, ...after] = [second.uptime - first.uptime, third.uptime - second.uptime, fourth.uptime - third.uptime];
    const takes = await takesOf(lab());
    process.stderr.write(
      `takes after ${before} s; the clock is set back; after ${after.join(" s, ")} s; takes of ${takes.join(" s, ")} s\n`,
    );
    // A take alone may be longer than the interval in here.
    for (const gap of after) expect(gap).toBeLessThan(interval + Math.max(...takes) + lateness);

    const { points } = await lab().json<Points>("points clock");
    const numbers = points.map(({ number }) => number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    // Each is within half an hour of the newest, or ahead of it.
    expect(numbers).toEqual(expect.arrayContaining([first.number, second.number, third.number, fourth.number]));
    const times = new Map(points.map(({ number, time }) => [number, Date.parse(time)]));
    expect(times.get(third.number)).toBeLessThan(times.get(second.number) ?? 0);
  });

  test("`restore --at` finds the points of both hours", async () => {
    await lab().must("pkill -TERM -f 'daemon/main'; while pgrep -f 'daemon/main' >/dev/null; do sleep 0.1; done", 240);
    const { points } = await lab().json<Points>("points clock");
    const newest = points.at(-1);
    const before = points.find(({ time }) => Date.parse(time) > Date.parse(newest?.time ?? "") + 1_800_000);
    expect(before).toBeDefined();
    let run = 0;
    for (const point of [before, newest]) {
      const restored = await lab().json<Restored>(`restore clock --at ${point?.time ?? ""} --replace --no-take`);
      expect(restored.point).toBe(point?.number);
      run = restored.run;
      await moreSteps(lab(), "clock", 2);
    }
    expect(await lab().json<Taken>("take clock")).toMatchObject({ kind: "base" });
    expect(await finish(lab(), "clock", run)).toEqual(allRight);
  });

  /** Waits for a generation above this number; `uptime`: when it was seen, in seconds, by a clock that nobody sets. */
  async function afterTake(machine: Lab, above: number): Promise<{ readonly number: number; readonly uptime: number }> {
    const newest = `$(ls ${generations} 2>/dev/null | sort -n | tail -n 1)`;
    const said = await machine.must(
      `for i in $(seq 1800); do newest=${newest}; [ "\${newest:-0}" -gt ${above} ] && break; sleep 0.1; done
      echo \${newest:-0}; cut -d' ' -f1 /proc/uptime`,
      280,
    );
    const [number = 0, uptime = 0] = said.split("\n").map(Number);
    if (number <= above) throw new Error(`no generation above ${above}: ${await machine.must("tail -n 20 /work/serve.log")}`);
    return { number, uptime };
  }

  /** How long each take was, in seconds, as the service's log says it. */
  async function takesOf(machine: Lab): Promise<readonly number[]> {
    const said = await machine.must('grep \'"event":"took"\' /work/serve.log');
    const lines = said.trim().split("\n");
    return lines.map((line) => (JSON.parse(line) as { milliseconds: number }).milliseconds / 1000);
  }
});

import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, finish, moreSteps, type Restored, startPages, type Taken } from "./job.ts";
import type { Lab } from "./lab.ts";

type Points = { readonly points: readonly { readonly number: number; readonly kind: string; readonly state: string }[] };

const vault = "/vault/holdfast";
/** The name of a CRIU that is run by its own loader, and nothing else's here. */
const criu = "ld-linux-x86-64";
/** To the last byte, nearly all of it without writing. */
const fill =
  "fallocate -l $(($(df --output=avail -B1 /vault | tail -n 1) - 4194304)) /vault/fill; busybox dd if=/dev/zero of=/vault/rest bs=4k 2>/dev/null";

/** What is done to a take: when CRIU's log says `at`, `act`. `code`: of the one fault that is told, none from a process that is gone. */
const interruptions = [
  { what: "whose hook is killed", at: "Running post-dump", act: "pkill -9 -x holdfast-hook", code: "dump-failed" },
  // Stopped meanwhile, so that it cannot be done with writing before the disk is full; nsenter stops itself when its child is stopped.
  {
    what: "that finds the disk full when CRIU writes",
    at: "Dumping processes",
    act: `pkill -STOP -x ${criu}; ${fill}; pkill -CONT -x nsenter; pkill -CONT -x ${criu}`,
    code: "vault-full",
  },
  { what: "that finds the disk full when files are captured", at: "Running post-dump", act: fill, code: "vault-full" },
  { what: "whose CRIU is killed", at: "dirty tracking", act: `pkill -9 -x ${criu}`, code: "dump-failed" },
  {
    what: "whose CRIU hangs",
    at: "dirty tracking",
    act: `pkill -STOP -x ${criu}`,
    code: "dump-timeout",
    variables: "HOLDFAST_LIMITS_DUMP_TIMEOUT=20s",
  },
  { what: "whose command is killed", at: "dirty tracking", act: "kill -9 $take", code: null },
] as const;

inLab("a take by the kernel's soft-dirty bits, interrupted", (lab) => {
  let number = 2;

  test("follows a base and an increment", async () => {
    // Big enough that a capture can be met in the middle.
    await lab().must("mkdir -p /work/hurt; yes holdfast | head -c 32M >/work/hurt/big; sync");
    await startPages(lab(), "hurt", "--include /work/hurt/big");
    await moreSteps(lab(), "hurt", 2);
    expect(await lab().json<Taken>("take hurt")).toMatchObject({ point: 1, kind: "base" });
    await moreSteps(lab(), "hurt", 2);
    expect(await lab().json<Taken>("take hurt")).toMatchObject({ point: 2, kind: "increment" });
  });

  for (const { what, at, act, code, ...more } of interruptions) {
    test(`one ${what} harms neither job nor points; the next is a base and says why`, async () => {
      const before = await listed(lab());
      await moreSteps(lab(), "hurt", 2);
      number += 1;
      let took: { readonly status: number; readonly said: string };
      try {
        took = await interrupted(lab(), number, at, act, "variables" in more ? more.variables : "");
      } finally {
        await lab().must("rm -f /vault/fill /vault/rest");
      }
      process.stderr.write(`a take ${what}: ${took.said}\n`);
      if (code !== null) {
        expect(took.status).not.toBe(0);
        const { fault } = JSON.parse(took.said) as { fault: { code: string; remedy: string; stillGood?: string } };
        expect(fault).toMatchObject({ code, stillGood: `newest point still good: #${number - 1}` });
        expect(fault.remedy).not.toBe("");
      }

      expect(await atRest(lab())).toBe("");
      await moreSteps(lab(), "hurt", 2);
      expect(await listed(lab())).toEqual(before);

      const failed = number;
      number += 1;
      const next = await lab().json<Taken>("take hurt");
      expect(next).toMatchObject({ point: number, kind: "base", parent: null });
      expect(next.reason).toBe(`the dump of generation ${failed} was begun and did not end well, so the dirty bits are unknown`);
      expect(await leftovers(lab())).toBe("");
    });
  }

  test("each point that is listed comes back and finds every page and every line right", async () => {
    const numbers = (await listed(lab())).map((point) => point.number);
    expect(numbers.length).toBe(2 + interruptions.length);
    let run = 0;
    for (const point of numbers.toReversed()) {
      const restored = await lab().json<Restored>(`restore hurt --point ${point} --replace --no-take`);
      expect(restored.point).toBe(point);
      run = restored.run;
      await moreSteps(lab(), "hurt", 2);
    }
    expect(await finish(lab(), "hurt", run)).toEqual(allRight);
  });
});

async function listed(lab: Lab): Promise<Points["points"]> {
  return (await lab.json<Points>("points hurt")).points.map(({ number, kind, state }) => ({ number, kind, state }));
}

/** Begins a take, does something to it when CRIU's log says so, and waits until both have ended. */
async function interrupted(
  lab: Lab,
  number: number,
  at: string,
  act: string,
  variables: string,
): Promise<{ readonly status: number; readonly said: string }> {
  const log = `${vault}/jobs/hurt/logs/dump-${number}.log`;
  const { status, stdout, stderr } = await lab.run(
    `${variables} holdfast take hurt --json >/run/out 2>/run/err & take=$!
    until grep -q '${at}' ${log} 2>/dev/null; do kill -0 $take || { cat /run/out /run/err; exit 98; }; sleep 0.02; done
    ${act}
    wait $take; status=$?
    while pgrep -x ${criu} >/dev/null; do sleep 0.1; done
    [ -s /run/out ] && cat /run/out || cat /run/err
    exit $status`,
    240,
  );
  if (status === 98 || status === 124) throw new Error(`the take ended before '${at}', or not at all: ${stdout}${stderr}`);
  return { status, said: stdout };
}

/** What of the job stands still or is traced, and what of CRIU still lives; nothing, if all is well. */
async function atRest(lab: Lab): Promise<string> {
  return lab.must(
    `for pid in $(pgrep -x pages); do grep -H -E '^(State:.*[tT] |TracerPid:.*[1-9])' /proc/$pid/status; done; pgrep -l -x '${criu}|holdfast-hook|flock'; true`,
  );
}

/** All but numbered generations among the generations, and whatever is in the staging folder. */
async function leftovers(lab: Lab): Promise<string> {
  return lab.must(`ls -A ${vault}/jobs/hurt/generations | grep -vE '^[0-9]+$'; ls -A ${vault}/.staging 2>/dev/null; true`);
}

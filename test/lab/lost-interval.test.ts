import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, crash, finish, moreSteps, pages, type Restored, type Started, startPages, type Taken } from "./job.ts";

/** Says yes to everything but the end of a dump, when the memory is written and the dirty bits are cleared. */
const failingHook = '#!/bin/sh\\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || exit 3\\n';

/** The log's line for each process whose dirty bits CRIU cleared. */
const cleared = "dirty tracking";

inLab("a dump that fails after it cleared the dirty bits (criu-facts, section 8)", (lab) => {
  // `steady`: pages touched for the first time in the lost interval would make CRIU stop by luck ("Missing ... in parent pagemap").
  test("loses pages without a word under raw CRIU: status 0 at dump and restore, wrong memory", async () => {
    const criu = "timeout 100 criu dump --no-default-config --manage-cgroups=ignore --track-mem -v4 -o dump.log -t $(cat pid)";
    await lab().must(`mkdir -p /work/raw/g1 /work/raw/g2 /work/raw/g3; cd /work/raw
      printf '${failingHook}' >hook; chmod 755 hook
      setsid sh -c 'echo $$ >pid; exec ${pages} run log 500000 steady </dev/null >>out 2>&1' &`);
    await moreSteps(lab(), "raw", 3);
    await lab().must(`cd /work/raw; ${criu} -D g1 -R`);
    await moreSteps(lab(), "raw", 3);
    const failed = await lab().run(`cd /work/raw; ${criu} -D g2 -R --prev-images-dir ../g1 --action-script /work/raw/hook`);
    expect(failed.status).not.toBe(0);
    expect(Number(await lab().must(`grep -c '${cleared}' /work/raw/g2/dump.log`))).toBe(2);
    await moreSteps(lab(), "raw", 3);
    await lab().must(`cd /work/raw; ${criu} -D g3 --prev-images-dir ../g1 || { grep -E "Error|Warn" g3/dump.log; exit 1; }`);
    // Their pids must be free.
    await lab().must("while pgrep -x pages >/dev/null; do sleep 0.1; done");
    await lab().must(
      `cd /work/raw; timeout 100 criu restore --no-default-config --manage-cgroups=ignore -d -D g3 -v4 -o restore.log || { grep Error g3/restore.log; cat out; exit 1; }`,
    );
    const said = await lab().must("cd /work/raw; for i in $(seq 300); do [ -s out ] && break; sleep 0.1; done; cat out");
    process.stderr.write(`raw CRIU: ${said}`);
    expect(said).toMatch(/^wrong: page \d+ of /);
  });

  test("makes Holdfast take a base next, and say why; nothing is lost", async () => {
    // The big file makes the capture long, so that the service is killed inside the freeze.
    await lab().must("mkdir -p /work/kept; yes holdfast | head -c 100M >/work/kept/big");
    await startPages(lab(), "kept", "--include /work/kept/big");
    await moreSteps(lab(), "kept", 3);
    expect(await lab().json<Taken>("take kept")).toMatchObject({ point: 1, kind: "base" });
    await moreSteps(lab(), "kept", 3);

    const log = "/vault/holdfast/jobs/kept/logs/dump-2.log";
    await lab().must(`holdfast take kept --json >/run/take 2>&1 & take=$!
      until grep -q 'Running post-dump' ${log} 2>/dev/null; do kill -0 $take || { cat /run/take; exit 1; }; sleep 0.02; done
      kill -9 $take; until grep -q 'Dumping FAILED' ${log}; do sleep 0.1; done`);
    expect(Number(await lab().must(`grep -c '${cleared}' ${log}`))).toBe(2);

    await moreSteps(lab(), "kept", 3);
    const next = await lab().json<Taken>("take kept");
    expect(next).toMatchObject({ point: 3, kind: "base", parent: null });
    expect(next.reason).toBe("the dump of generation 2 was begun and did not end well, so the dirty bits are unknown");
  });

  test("and the points around it come back whole", async () => {
    const { jobs } = await lab().json<{ jobs: readonly { readonly run: Started }[] }>("status kept");
    await crash(lab(), jobs[0]?.run.initPid ?? 0);
    for (const point of [3, 1]) {
      const restored = await lab().json<Restored>(`restore kept --point ${point}`);
      await moreSteps(lab(), "kept", 2);
      expect(await finish(lab(), "kept", restored.run)).toEqual(allRight);
    }
  });
});

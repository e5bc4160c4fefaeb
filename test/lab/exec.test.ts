import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { allRight, crash, finish, moreSteps, pages, type Restored, startJob, type Taken } from "./job.ts";

const jobs = [
  { who: "root", command: `${pages} run log 500000` },
  // The shell waits for it, and ends as it does.
  { who: "child", command: `sh -c '${pages} run log 500000 & wait $!'` },
];

inLab("a job that becomes another program between two generations", (lab) => {
  for (const { who, command } of jobs) {
    const name = `exec-${who}`;
    test(`by its ${who}: no increment is made of two programs; the next point is a base, and comes back whole`, async () => {
      const started = await startJob(lab(), name, command);
      await moreSteps(lab(), name, 3);
      expect(await lab().json<Taken>(`take ${name}`)).toMatchObject({ point: 1, kind: "base" });
      await lab().must(`touch /work/${name}/exec`);
      await moreSteps(lab(), name, 3, "log.next");

      // CRIU may refuse the parent ("Missing ... in parent pagemap"): the same take then makes a base.
      expect(await lab().json<Taken>(`take ${name}`)).toMatchObject({ kind: "base", parent: null });

      await crash(lab(), started.initPid);
      const restored = await lab().json<Restored>(`restore ${name}`);
      await moreSteps(lab(), name, 2, "log.next");
      expect(await finish(lab(), name, restored.run, "log.next")).toEqual(allRight);
    });
  }
});

import { expect, test } from "vitest";
import { inLab } from "./floor.ts";
import { crash, finish, moreSteps, output, pages, type Restored, startJob, type Taken } from "./job.ts";

const jobs = {
  root: `${pages} run log 250000`,
  child: `sh -c '${pages} run log 250000 & wait $!'`,
};

inLab("a job that becomes another program between two generations", (lab) => {
  for (const [who, command] of Object.entries(jobs)) {
    const name = `exec-${who}`;
    test(`by its ${who}: the next point is a base, and it comes back whole`, async () => {
      const started = await startJob(lab(), name, command);
      await moreSteps(lab(), name, 3);
      expect(await lab().json<Taken>(`take ${name}`)).toMatchObject({ point: 1, kind: "base" });
      await lab().must(`touch /work/${name}/exec`);
      await moreSteps(lab(), name, 3, "log.next");
      const first = await lab().holdfast(`take ${name}`);
      process.stderr.write(`exec ${who}, first take: ${first.status} ${first.said}\n`);
      const next = await lab().holdfast(`take ${name}`);
      process.stderr.write(`exec ${who}, next take: ${next.status} ${next.said}\n`);
      expect(next.status).toBe(0);
      await crash(lab(), started.initPid);
      const restored = await lab().json<Restored>(`restore ${name}`);
      await moreSteps(lab(), name, 2, "log.next");
      process.stderr.write(`exec ${who}: ${JSON.stringify(await finish(lab(), name, restored.run))} ${await output(lab(), name)}\n`);
    });
  }
});

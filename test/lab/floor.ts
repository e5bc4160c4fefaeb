import { afterAll, afterEach, beforeAll, describe, inject } from "vitest";
import { type Lab, openLab } from "./lab.ts";

/** A `describe` with a lab of its own, switched on; skipped, with the reason in its name, where none can be built. */
export function inLab(law: string, tests: (lab: () => Lab) => void): void {
  const ready = inject("lab");
  const reason = ready.ready ? "" : ` (skipped: ${ready.why})`;
  describe.skipIf(!ready.ready)(`${law}${reason}`, () => {
    let lab: Lab;
    beforeAll(async () => {
      if (!ready.ready) return;
      lab = await openLab(ready);
      await lab.boot();
    });
    afterEach(async ({ task }) => {
      if (task.result?.state === "fail") process.stderr.write(`the lab's console: ${await lab.keepConsole(task.name)}\n`);
    });
    afterAll(async () => {
      if (ready.ready) await lab.close();
    });
    tests(() => lab);
  });
}

import { describe, expect, test } from "vitest";
import { start } from "../../../src/engine/start.ts";
import { hasNews, type Quiet, tend } from "../../../src/engine/tend.ts";
import { watchExposure } from "../../../src/engine/watch-exposure.ts";
import type { Ports } from "../../../src/engine/ports.ts";
import { aJob } from "../../contract/catalogue-values.ts";
import { fakeMachine } from "../../fakes/machine.ts";

const rules = { delay: 5_000, settle: 60_000, attempts: 5 };

/** The same ports; every call of the vault, of CRIU and of the launcher is written down. */
function watched(ports: Ports): { readonly ports: Ports; readonly touched: string[] } {
  const touched: string[] = [];
  const watch = <T extends object>(name: string, port: T): T =>
    new Proxy(port, {
      get(target, word, receiver): unknown {
        touched.push(`${name}.${String(word)}`);
        return Reflect.get(target, word, receiver);
      },
    });
  const { vault, criu, launcher, files } = ports;
  const watching = { vault: watch("vault", vault), criu: watch("criu", criu), launcher: watch("launcher", launcher) };
  return { ports: { ...ports, ...watching, files: watch("files", files) }, touched };
}

describe("an idle service", () => {
  test("looks after its running jobs without a touch of the vault, of CRIU or of a launcher", async () => {
    const machine = fakeMachine();
    for (let at = 0; at < 20; at++) await start(machine.ports, aJob(`job-${at}`));
    const { ports, touched } = watched(machine.ports);
    const quiet: Quiet = new Map();
    for (let look = 0; look < 5; look++) {
      expect(await hasNews(ports, rules, quiet)).toBe(false);
      await watchExposure(ports, new Set());
    }
    expect(touched).toEqual([]);
  });

  test("sees at the next look that a job has ended, however long it was quiet, and it is quiet again once that is written down", async () => {
    const machine = fakeMachine();
    await start(machine.ports, aJob("lj"));
    const quiet: Quiet = new Map();
    await machine.ports.clock.sleep(2 * rules.settle);
    expect(await hasNews(machine.ports, rules, quiet)).toBe(false);
    for (const pid of [101, 102]) machine.alive.delete(pid);
    expect(await hasNews(machine.ports, rules, quiet)).toBe(true);
    expect(await tend(machine.ports, "ended", rules)).toHaveLength(1);
    expect(await hasNews(machine.ports, rules, quiet)).toBe(false);
  });

  test("has news exactly when the look itself would write something down", async () => {
    const machine = fakeMachine();
    for (const name of ["a", "b", "c"]) await start(machine.ports, aJob(name));
    const quiet: Quiet = new Map();
    const pids = [...machine.alive].filter((pid) => pid > 100);
    for (const pid of [null, ...pids]) {
      if (pid !== null) machine.alive.delete(pid);
      const said = await hasNews(machine.ports, rules, quiet);
      expect((await tend(machine.ports, "ended", rules)).length > 0, `after ${pid} was gone`).toBe(said);
    }
  });
});

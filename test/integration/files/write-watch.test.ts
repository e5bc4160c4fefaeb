import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

const source = fileURLToPath(new URL("../../../src/host/files/write-watch.ts", import.meta.url));

test("in a worker thread, where the service takes, a watch is opened and closed without a warning", async () => {
  const code = `
    const warnings = [];
    process.on("warning", ({ message }) => warnings.push(message));
    import(${JSON.stringify(source)}).then(async ({ WriteWatch }) => {
      const watch = WriteWatch.open();
      watch.add("/proc/self/fd/0");
      watch.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
      require("node:worker_threads").parentPort.postMessage(warnings);
    });`;
  const worker = new Worker(code, { eval: true });
  const [warnings] = (await once(worker, "message")) as [string[]];
  await worker.terminate();
  expect(warnings).toEqual([]);
});

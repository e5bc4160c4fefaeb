import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { JobName } from "../../../src/domain/job.ts";
import { openNotices } from "../../../src/host/notices.ts";

/**
 * A process that tells of one take by the hook given on its command line and ends at once: `main` by itself, `thread` from a worker thread that
 * ends before it. It prints what the log got, one line of JSON each.
 */
const [how = "main", folder = mkdtempSync("/tmp/holdfast-tell-"), ...hook] = process.argv.slice(2);
const say = (fields: object, text: string) => process.stdout.write(`${JSON.stringify({ ...fields, text })}\n`);
const none: readonly string[] = [];
const notices = openNotices({
  commands: { took: hook, missed: none, failed: none, crashed: none, restored: none, damaged: none, "exposure-over": none },
  host: "here",
  vault: "/vault",
  variables: { HOLDFAST_VAULT: "/vault" },
  folders: [folder],
  seconds: 1,
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- one method is all that is called
  log: { warn: say } as never,
});

if (how === "thread") {
  const worker = new Worker(new URL(import.meta.url), { argv: ["inside", folder, ...hook] });
  await new Promise((resolve) => worker.once("exit", resolve));
  // The service lives on: long enough for the hook to end.
  await new Promise((resolve) => setTimeout(resolve, 700));
  for (const task of readdirSync("/proc/self/task")) {
    for (const pid of readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean)) {
      if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) say({ pid }, "a zombie");
    }
  }
} else {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a valid name
  await notices.tell({ event: "took", job: "lj" as JobName, at: 0, point: 7, code: null, message: "well" });
  if (how === "stay") await new Promise((resolve) => setTimeout(resolve, 3_000));
}
await notices.close();

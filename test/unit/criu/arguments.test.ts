import { expect, test } from "vitest";
import { dumpWords, preDumpWords, restoreWords } from "../../../src/criu/arguments.ts";
import type { JobName } from "../../../src/domain/job.ts";
import type { DumpRequest } from "../../../src/engine/ports.ts";

const request: DumpRequest = {
  job: "lj" as JobName,
  images: "/staging/lj",
  log: "/logs/1.log",
  init: { pid: 77, startTicks: 1, bootId: "b" },
  rootVpid: 300,
  options: ["--file-locks"],
  track: null,
  timeoutSeconds: 60,
};
const words = { criu: ["/p/ld.so", "--library-path", "/p", "/p/criu"], hook: "/x/holdfast-hook", lock: "/l/lj.lock" };
const command = (changes: Partial<DumpRequest>) => dumpWords({ ...request, ...changes }, words).join(" ");

test("a dump is flock around nice around nsenter around CRIU, the tree's options last", () => {
  expect(command({})).toBe(
    "flock --timeout 1 --conflict-exit-code 75 /l/lj.lock nice -n -10 nsenter -t 77 -p -m -- /p/ld.so --library-path /p /p/criu dump " +
      "--no-default-config -t 300 -D /staging/lj -R -v4 -o /logs/1.log --action-script /x/holdfast-hook --manage-cgroups=ignore " +
      "--cpu-cap=ins,fpu --file-locks",
  );
});

test("a tree in the host's namespaces is dumped without entering any", () => {
  expect(command({ init: null })).not.toContain("nsenter");
});

test("memory is tracked only when asked, and chained only on a parent", () => {
  expect(command({})).not.toMatch(/--track-mem|--prev-images-dir/);
  expect(command({ track: { parent: null } })).toMatch(/--track-mem --file-locks$/);
  expect(command({ track: { parent: "../7" } })).toMatch(/--track-mem --prev-images-dir \.\.\/7 --file-locks$/);
});

test("a pre-dump tracks memory always, has no hook, and yields to others: most of its work is done while the job runs", () => {
  const { track: _, ...rest } = request;
  const preDump = (parent: string | null) => preDumpWords({ ...rest, options: [], mode: "read", parent }, words).join(" ");
  expect(preDump(null)).toBe(
    "flock --timeout 1 --conflict-exit-code 75 /l/lj.lock nsenter -t 77 -p -m -- /p/ld.so --library-path /p /p/criu pre-dump " +
      "--no-default-config -t 300 -D /staging/lj -v4 -o /logs/1.log --manage-cgroups=ignore --track-mem --pre-dump-mode read",
  );
  expect(preDump("../7")).toMatch(/--pre-dump-mode read --prev-images-dir \.\.\/7$/);
});

test("a restore asks about the processor only where the images tell of it", () => {
  const restore = (knowsProcessor: boolean): string =>
    restoreWords(
      { images: "/g/7", runFolder: "/r/2", pidfile: "/r/2/pidfile", log: "/l", options: ["--file-locks"] },
      { criu: ["criu"], hook: "/x/holdfast-hook", knowsProcessor },
    ).join(" ");
  expect(restore(true)).toMatch(/^criu restore .* --manage-cgroups=ignore --cpu-cap=ins,fpu --file-locks$/);
  expect(restore(false)).toMatch(/--manage-cgroups=ignore --file-locks$/);
});

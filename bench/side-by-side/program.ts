import { pages, workOf } from "../../test/lab/job.ts";
import type { Lab } from "../../test/lab/lab.ts";

/** Steps from one generation to the next. It shares no factor with the rhythms of `pages.c` (16 and 32 steps): each falls on every phase. */
const EVERY = 15;

/** The command of the job: as fast as it can from one gate to the next, where it waits to be dumped. */
export const command = `${pages} run log 0`;

/** Lines of the log at generation `n` (from 1): the same in each manner, so that each dumps the same memory. */
export const linesAt = (n: number): number => n * EVERY;

/** The folder for a job that will wait at its first gate. */
export async function prepareJob(lab: Lab, name: string): Promise<void> {
  await lab.must(`mkdir -p ${workOf(name)}; ln -s ${linesAt(1) - 1} ${workOf(name)}/gate`);
}

/** Lets it go on to where generation `n` is due; it waits there. */
export async function goTo(lab: Lab, name: string, n: number): Promise<void> {
  const lines = await lab.must(
    `cd ${workOf(name)}; ln -s ${linesAt(n) - 1} gate.new; mv -T gate.new gate
      for i in $(seq 1200); do [ $(wc -l 2>/dev/null <log || echo 0) -lt ${linesAt(n)} ] || break; sleep 0.1; done; sleep 0.1; wc -l <log; cat out 2>/dev/null || true`,
    200,
  );
  if (lines.trim() !== String(linesAt(n))) throw new Error(`${name} is not at line ${linesAt(n)}: ${lines}`);
}

/** Bytes the file system gave a folder, as `du` counts them. */
export async function bytesOf(lab: Lab, folder: string): Promise<number> {
  return Number((await lab.must(`sync; du --block-size=1 -s ${folder}`, 300)).split(/\s/)[0]);
}

/**
 * Brings the job back from images by CRIU alone, in PID and mount namespaces of its own, its log cut to what it was; lets it look at all its
 * memory, make a step more and end. `null` if it then said "done" and its log is whole, else what went wrong. The images are only read; the
 * log must have been kept as `log.whole`.
 */
export async function bringBack(lab: Lab, name: string, images: string, n: number, options = ""): Promise<string | null> {
  const restore = `timeout -k 5 60 criu restore --no-default-config --manage-cgroups=ignore -d -D ${images} -W /run/side -v2 -o restore.log --pidfile root ${options}`;
  const { stdout } = await lab.run(
    `mkdir -p /run/side; rm -f /run/side/*; cd ${workOf(name)}; touch stop; head -n ${linesAt(n)} log.whole >log; : >out
    cat >/run/side/inside <<'INSIDE'
${restore} >/dev/null 2>&1 || { echo "not restored: $(grep -m 1 Error /run/side/restore.log)"; exit; }
for i in $(seq 300); do [ ! -s out ] && [ -e /proc/$(cat /run/side/root)/exe ] || break; sleep 0.1; done
INSIDE
    timeout -k 5 100 unshare --pid --fork --mount-proc --kill-child sh /run/side/inside
    if [ ! -s out ]; then echo "ended without a word"
    elif [ "$(cat out)" != done ]; then head -n 1 out
    else ${pages} verify log >/dev/null 2>&1 && [ $(wc -l <log) -gt ${linesAt(n)} ] && echo back || echo "its log is not whole"
    fi`,
    150,
  );
  return stdout.trim() === "back" ? null : stdout.trim().split("\n")[0] || "no answer";
}

/** Which of the points `numbers` do not come back, and why; said as they are found. */
export async function notBack(
  manner: string,
  numbers: readonly number[],
  back: (n: number) => Promise<string | null>,
): Promise<number> {
  let good = 0;
  for (const n of numbers) {
    const wrong = await back(n);
    if (wrong === null) good += 1;
    else process.stderr.write(`${manner}: point ${n} does not come back: ${wrong}\n`);
  }
  return good;
}

/** 1, 2, ... `count`. */
export const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index + 1);

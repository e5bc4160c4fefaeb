import type { Lab } from "./lab.ts";

/** The self-checking program of `programs/pages.c`, in the machine. */
export const pages = "/opt/holdfast/programs/pages";

export type Taken = {
  readonly point: number;
  readonly kind: "base" | "increment";
  readonly parent: number | null;
  readonly reason: string;
  readonly run: number;
  readonly timeline: number;
  readonly bytes: number;
  readonly freezeMicros: number;
  /** CRIU's own figures, and what was stored at last. */
  readonly pages: { readonly scanned: number; readonly written: number; readonly skipped: number; readonly kept: number };
};
export type Started = { readonly run: number; readonly pid: number; readonly initPid: number };
export type Restored = { readonly point: number; readonly run: number; readonly timeline: number; readonly pid: number };
export type Faulty = { readonly fault: { readonly code: string; readonly message: string; readonly stillGood?: string } };

/** Where a job works: a disk that keeps. */
export const workOf = (name: string): string => `/work/${name}`;

/** Starts `pages` under guard; it makes about two steps a second. */
export async function startPages(lab: Lab, name: string, options = ""): Promise<Started> {
  return startJob(lab, name, `${pages} run log 500000`, options);
}

export async function startJob(lab: Lab, name: string, command: string, options = ""): Promise<Started> {
  await lab.must(`mkdir -p ${workOf(name)}`);
  return lab.json<Started>(`run --name ${name} --cwd ${workOf(name)} --every never --keep all ${options} -- ${command}`);
}

/** Waits until the log has `count` more lines than now. Fails after `seconds`, with what the job said. */
export async function moreSteps(lab: Lab, name: string, count: number, log = "log", seconds = 120): Promise<void> {
  const lines = `$(wc -l <${workOf(name)}/${log} 2>/dev/null || echo 0)`;
  const until = `end=$((${lines} + ${count})); for i in $(seq ${seconds * 10}); do [ ${lines} -ge $end ] && exit 0; sleep 0.1; done`;
  const { status } = await lab.run(`${until}; exit 1`, seconds + 30);
  if (status !== 0) throw new Error(`${name} makes no steps: ${await output(lab, name)}`);
}

/** What the job wrote to its standard output and error. */
export async function output(lab: Lab, name: string): Promise<string> {
  return lab.must(`cat /vault/holdfast/jobs/${name}/output/out`);
}

/**
 * Lets the job check all its memory once more and end; gives what the init recorded of its end, all it said, and whether its log holds each
 * step once and in order.
 */
export async function finish(
  lab: Lab,
  name: string,
  run: number,
  log = "log",
): Promise<{ exit: string; said: string; log: string }> {
  const exit = `/vault/holdfast/jobs/${name}/runs/${run}/exit`;
  await lab.must(`cd ${workOf(name)}; touch stop; for i in $(seq 1200); do [ -e ${exit} ] && break; sleep 0.1; done; rm stop`, 150);
  const { stdout, stderr, status } = await lab.run(`cat ${exit}; ${pages} verify ${workOf(name)}/${log} >/dev/null`);
  return {
    exit: stdout.split("\n")[0] ?? "",
    said: await output(lab, name),
    log: status === 0 ? "whole" : stderr.trim(),
  };
}

/** How a job ends whose memory and files were right all the way. */
export const allRight = { exit: "exited 7", said: "done\n", log: "whole" };

/** SIGKILL for the job, init and all: as a crash. */
export async function crash(lab: Lab, initPid: number): Promise<void> {
  await lab.must(`kill -9 ${initPid}; while [ -e /proc/${initPid} ]; do sleep 0.1; done`);
}

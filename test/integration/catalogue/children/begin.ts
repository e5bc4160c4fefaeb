import { once } from "node:events";
import { writeSync } from "node:fs";

/** Says `ready` when everything is loaded, and waits until the parent says go. */
export async function begin(): Promise<readonly string[]> {
  say("ready");
  await once(process.stdin, "data");
  return process.argv.slice(2);
}

/** At once, also from code that never comes back to the event loop. */
export function say(word: string): void {
  writeSync(1, `${word}\n`);
}

/** Stops this thread for good, in the middle of whatever it is doing; the parent kills the process. */
export function stopForGood(): never {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error("woken");
}

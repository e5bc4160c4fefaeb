import type { ProcessIdentity } from "../domain/run.ts";
import type { Processes } from "../engine/ports.ts";
import { isAlive, readIdentity } from "./proc/stat.ts";

/** `/proc` and signals of this machine, read synchronously: the inspector also works inside a freeze. */
export function openProcesses(): Processes {
  return {
    self,
    identify: async (pid) => readIdentity(pid),
    isAlive,
    // The service and most commands never look so closely; who dumps has looked before the freeze.
    inspect: async (root, init) => (await import("./inspect.ts")).inspect(root, init),
    signal,
  };
}

function self(): ProcessIdentity {
  const found = readIdentity(process.pid);
  if (found === null) throw new Error("/proc does not show this process; is it mounted?");
  return found;
}

/** Between the look and the signal the pid could change hands, but only if all others were used in between. */
function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

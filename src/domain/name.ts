import { Fault } from "../faults/fault.ts";
import type { JobName } from "./job.ts";

/** `[A-Za-z0-9._-]{1,64}`, not starting with a dot or a dash: safe as a folder's name and as a command's word. Fault: `name-invalid`. */
export function parseJobName(text: string): JobName {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/.test(text)) throw Fault.of("name-invalid", { name: JSON.stringify(text) });
  return text as JobName;
}

import { Fault } from "../faults/fault.ts";

/** The one fault of this room: `why` ends the sentence "FILE is not a CRIU image this program can read: ...". */
export function malformed(file: string, why: string): Fault {
  return Fault.of("image-malformed", { file, why });
}

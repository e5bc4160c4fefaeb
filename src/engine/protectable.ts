import type { Finding } from "../domain/finding.ts";
import { Fault } from "../faults/fault.ts";

/** L8: what CRIU cannot do is refused before the first dump, with each remedy. Fault: `unprotectable`. */
export function refuseUnprotectable(job: string, found: readonly Finding[]): void {
  const refused = found.filter((finding) => finding.level === "refused");
  if (refused.length === 0) return;
  throw Fault.of("unprotectable", {
    job,
    findings: refused.map((finding) => `${finding.what} [${finding.code}]`).join("; "),
    advice: [...new Set(refused.map((finding) => finding.remedy))].join("; "),
  });
}

import { translate } from "./log.ts";
import { atLeast } from "../domain/version.ts";

/** Why `criu check` fails on this kernel, in words that end a sentence (criu-facts section 12). */
export function unfitReason(version: string, kernel: string, said: string): string {
  if (atLeast(kernel, "6.13") && !atLeast(version, "4.1")) {
    return `kernel ${shortKernel(kernel)} lays out its vDSO in a way that needs CRIU 4.1 or newer`;
  }
  const found = translate(said);
  if (found) return `${found.meaning} (${found.line})`;
  return `\`criu check\` fails${said.trim() === "" ? "" : `: ${said.trim().split("\n").at(-1)}`}`;
}

/** What goes wrong only for some jobs with a CRIU that passes its own check. */
export function cautions(version: string, kernel: string): readonly string[] {
  const found: string[] = [];
  if (atLeast(kernel, "6.16") && !atLeast(version, "4.2")) {
    found.push(`CRIU ${version} cannot dump a job with a TCP or UDP socket on kernel ${shortKernel(kernel)}; 4.2 or newer can`);
  }
  if (atLeast(kernel, "6.11") && !atLeast(version, "4.2")) {
    found.push(`CRIU ${version} does not know the mappings that newer C libraries use for random numbers; 4.2 or newer does`);
  }
  return found;
}

function shortKernel(release: string): string {
  return /^\d+\.\d+/.exec(release)?.[0] ?? release;
}

import type { OutsideFiles } from "../../domain/outside-files.ts";
import { formatSize } from "../../domain/size.ts";
import type { VerifyReport } from "../../engine/verify.ts";

/** What was found, what was not read, and what no look at the vault can tell. */
export function verifyText(report: VerifyReport): string {
  const { job, checked, damage } = report;
  const whole = report.unread.length > 0 ? "looked at, no damage found" : "read back, all whole";
  return [
    damage.length > 0 ? `${job}: damage found; the next take makes a base` : `${job}: ${counted(checked.length, "point")} ${whole}`,
    ...damage.map(({ number, file, why }) => `  point ${number}: ${file}: ${why}`),
    ...unreadText(report),
    ...outsideText(report.outside),
  ].join("\n");
}

function unreadText({ read, unread }: VerifyReport): readonly string[] {
  if (unread.length === 0) return [];
  const bytes = unread.reduce((sum, one) => sum + one.bytes, 0);
  return [
    `  not read: ${formatSize(bytes)} in ${counted(unread.length, "file")} of pages and captured files, of ${formatSize(bytes + read.bytes)}; they are there with the right length`,
  ];
}

function outsideText({ needed, undigested, byLength, leftOut }: OutsideFiles): readonly string[] {
  const parts = [
    ...(needed > 0 ? [`${needed} needed unchanged${undigested > 0 ? ` (${undigested} known by size and time alone)` : ""}`] : []),
    ...(byLength > 0 ? [`${byLength} kept by length`] : []),
    ...(leftOut > 0 ? [`${leftOut} left out`] : []),
  ];
  return parts.length === 0 ? [] : [`  not in the vault, checked by a restore: files ${parts.join(", ")}`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

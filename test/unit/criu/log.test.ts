import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { explain, translate } from "../../../src/criu/log.ts";
import { logTable } from "../../../src/criu/log-table.ts";

const line = (text: string, level = "Error") => `(00.012345) ${level}${level === "Warn" ? "  " : " "}(criu/x.c:12): ${text}`;

describe("the log table", () => {
  test.each(logTable.map((row) => [row.sample, row] as const))("knows its own sample: %s", (sample, row) => {
    expect(logTable.find((one) => one.pattern.test(sample))).toBe(row);
  });

  test("says every meaning and advice as a clause that a sentence can take in", () => {
    for (const { meaning, advice } of logTable) {
      for (const text of [meaning, advice]) {
        expect(text).not.toMatch(/[.!]$/);
        expect(text).toMatch(/^(CRIU|[a-z])/);
      }
    }
  });

  test("is what docs/reference/criu-log.md shows", () => {
    const rows = logTable.map(
      ({ sample, meaning, advice, weight }) => `| \`${sample}\` | ${meaning} | ${advice} | ${weight ?? "cause"} |`,
    );
    const page = readFileSync(path.join(import.meta.dirname, "../../../docs/reference/criu-log.md"), "utf8");
    expect(page.split("\n").filter((one) => one.startsWith("| `"))).toEqual(rows);
  });
});

describe("translating a log", () => {
  test("takes the first error, and leaves harmless ones and what comes after out of account", () => {
    const log = [
      "(00.000001) Version: 4.2.1 (gitid 0)",
      line("rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted"),
      line("tun: Unable to create tun: No such file or directory"),
      line("File home/u/traj has bad size 12 (expect 10)"),
      line("Can't open file home/u/other on restore: No such file or directory"),
      line("Restoring FAILED."),
    ].join("\n");
    expect(translate(log)).toMatchObject({ line: "File home/u/traj has bad size 12 (expect 10)" });
  });

  test("prefers a line that explains to one before it that only sums up", () => {
    const log = [line("Can't dump page with parasite"), line("Unable to spice data: No space left on device")].join("\n");
    expect(translate(log)?.meaning).toContain("no space left");
  });

  test("takes the warning that explains an error which does not", () => {
    const log = [
      line("Unable to interrupt task: 512 (Operation not permitted)", "Warn"),
      line("Unable to detach from 512: No such process"),
      line("Dumping FAILED."),
    ].join("\n");
    expect(translate(log)?.meaning).toContain("debugger");
  });

  test("takes a warning for nothing when there is no error", () => {
    expect(translate(line("Unable to interrupt task: 512 (Operation not permitted)", "Warn"))).toBeNull();
  });

  test("reads the lines of a restore, which a pid precedes, and those before the log had a clock", () => {
    expect(translate("(00.037) 300: Error (criu/cr-restore.c:1498): Can't fork for 300: File exists")?.meaning).toContain("pid");
    expect(translate("Error (criu/mem.c:45): BUG at criu/mem.c:45")?.meaning).toContain("pre-dump");
  });

  test("gives an error it does not know in CRIU's words, not the summary after it", () => {
    expect(translate([line("The moon is in the wrong house"), line("Dumping FAILED.")].join("\n"))?.line).toBe(
      "The moon is in the wrong house",
    );
  });

  test("knows a hook that was killed, which CRIU tells without its pid", () => {
    const log = ["killed by signal 9: Killed", "Script /usr/lib/holdfast-hook exited with -1", "Dumping FAILED."].map((text) =>
      line(text),
    );
    expect(translate(log.join("\n"))?.meaning).toContain("calls inside the freeze");
  });

  test("gives the summary when there is nothing else, and nothing for a log without trouble", () => {
    expect(translate(line("Dumping FAILED."))?.line).toBe("Dumping FAILED.");
    expect(translate("(00.1) Dumping finished successfully\n")).toBeNull();
    expect(explain("")).toBe("its log names no error");
  });

  test("explains in one sentence with CRIU's words and the advice", () => {
    expect(explain(line("Can't fork for 300: File exists"))).toMatch(/^a pid .* \[Can't fork for 300: File exists\]; let Holdfast/);
  });
});

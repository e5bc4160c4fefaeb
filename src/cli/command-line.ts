import { Command, CommanderError } from "commander";
import { Fault } from "../faults/fault.ts";
import { addAdopt } from "./commands/adopt.ts";
import { addCatalogue } from "./commands/catalogue.ts";
import { addCheck } from "./commands/check.ts";
import { addDedup } from "./commands/dedup.ts";
import { addDemo } from "./commands/demo.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDrill } from "./commands/drill.ts";
import { addDu } from "./commands/du.ts";
import { addExpire } from "./commands/expire.ts";
import { addExport } from "./commands/export.ts";
import { addFold } from "./commands/fold.ts";
import { addHold, addRelease } from "./commands/hold.ts";
import { addLogs } from "./commands/logs.ts";
import { addPoints } from "./commands/points.ts";
import { addPolicy } from "./commands/policy.ts";
import { addProtect } from "./commands/protect.ts";
import { addRestore, addResume } from "./commands/restore.ts";
import { addRetire } from "./commands/retire.ts";
import { addRun } from "./commands/run.ts";
import { addServe } from "./commands/serve.ts";
import { addStatus } from "./commands/status.ts";
import { addStop } from "./commands/stop.ts";
import { addTake } from "./commands/take.ts";
import { addVerify } from "./commands/verify.ts";
import { printFault } from "./print.ts";
import { Session } from "./session.ts";

/** In the order of the help: the machine, the jobs, what is kept of them. */
const machine = [addDoctor, addServe, addDemo];
const jobs = [addRun, addProtect, addAdopt, addCheck, addStatus, addLogs, addTake, addRestore, addStop, addResume, addRetire];
const kept = [
  ...[addPoints, addDu, addPolicy, addExpire, addHold, addRelease],
  ...[addFold, addDedup, addVerify, addDrill, addExport, addCatalogue],
];

/** Runs one command; gives the process exit status (the list is in `docs/errors.md`). */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const json = words.slice(0, words.indexOf("--") === -1 ? words.length : words.indexOf("--")).includes("--json");
  const session = new Session();
  process.once("SIGINT", () => {
    process.stderr.write(
      "\nholdfast: interrupted; every point listed is as good as before, what was begun is swept at the next call\n",
    );
    process.exit(130);
  });
  // The reader has seen enough (`holdfast logs lj | head`).
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(session.exitStatus);
  });
  try {
    await program(session).parseAsync([...words], { from: "user" });
    return session.exitStatus;
  } catch (error) {
    if (error instanceof CommanderError) return endOfCommander(error, words, json);
    if (error instanceof Fault) {
      printFault(error, json);
      return error.exitStatus;
    }
    printBug(error, json);
    return 1;
  } finally {
    await session.close();
  }
}

function program(session: Session): Command {
  const root = new Command("holdfast")
    .description(
      "Guards long computations: periodic incremental dumps of a running job, and its way back, memory and files together.",
    )
    .version("0.1.0")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      "after",
      "\nFirst steps:\n  holdfast doctor --fix\n  holdfast run --name lj --every 10m -- lmp -in in.lj\n  holdfast points lj",
    );
  for (const add of [...machine, ...jobs, ...kept]) add(root, session);
  return root;
}

function endOfCommander(error: CommanderError, words: readonly string[], json: boolean): number {
  if (error.exitCode === 0) return 0;
  const what = error.message.replace(/^error: /, "");
  if (error.code === "commander.help") return 2;
  const command = words.find((word) => !word.startsWith("-")) ?? "";
  printFault(Fault.of("usage", { what, command }), json);
  return 2;
}

function printBug(error: unknown, json: boolean): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ fault: { code: "bug", message: text.split("\n")[0], remedy: "please report it" } })}\n`,
    );
  process.stderr.write(`holdfast: this is a bug in holdfast; every point listed is as good as before\n${text}\n`);
}

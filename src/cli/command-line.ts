import { Command, CommanderError } from "commander";
import { Fault } from "../faults/fault.ts";
import { printFault } from "./print.ts";
import { Session } from "./session.ts";

type Add = (root: Command, session: Session) => void;

/** In the order of the help: the machine, the jobs, what is kept of them. A command is loaded when it is called for, since all together take longer than most. */
const commands: Readonly<Record<string, () => Promise<Add>>> = {
  doctor: async () => (await import("./commands/doctor.ts")).addDoctor,
  serve: async () => (await import("./commands/serve.ts")).addServe,
  demo: async () => (await import("./commands/demo.ts")).addDemo,
  run: async () => (await import("./commands/run.ts")).addRun,
  protect: async () => (await import("./commands/protect.ts")).addProtect,
  adopt: async () => (await import("./commands/adopt.ts")).addAdopt,
  check: async () => (await import("./commands/check.ts")).addCheck,
  status: async () => (await import("./commands/status.ts")).addStatus,
  logs: async () => (await import("./commands/logs.ts")).addLogs,
  take: async () => (await import("./commands/take.ts")).addTake,
  restore: async () => (await import("./commands/restore.ts")).addRestore,
  stop: async () => (await import("./commands/stop.ts")).addStop,
  resume: async () => (await import("./commands/restore.ts")).addResume,
  retire: async () => (await import("./commands/retire.ts")).addRetire,
  points: async () => (await import("./commands/points.ts")).addPoints,
  du: async () => (await import("./commands/du.ts")).addDu,
  advise: async () => (await import("./commands/advise.ts")).addAdvise,
  policy: async () => (await import("./commands/policy.ts")).addPolicy,
  expire: async () => (await import("./commands/expire.ts")).addExpire,
  hold: async () => (await import("./commands/hold.ts")).addHold,
  release: async () => (await import("./commands/hold.ts")).addRelease,
  fold: async () => (await import("./commands/fold.ts")).addFold,
  dedup: async () => (await import("./commands/dedup.ts")).addDedup,
  pack: async () => (await import("./commands/pack.ts")).addPack,
  unpack: async () => (await import("./commands/pack.ts")).addUnpack,
  verify: async () => (await import("./commands/verify.ts")).addVerify,
  drill: async () => (await import("./commands/drill.ts")).addDrill,
  export: async () => (await import("./commands/export.ts")).addExport,
  catalogue: async () => (await import("./commands/catalogue.ts")).addCatalogue,
};

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
    await (await program(session, words)).parseAsync([...words], { from: "user" });
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

/** With the one command that is asked for; with all of them for the help, and to say what was meant by a word that is none. */
async function program(session: Session, [word = ""]: readonly string[]): Promise<Command> {
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
  const load = Object.hasOwn(commands, word) ? commands[word] : undefined;
  for (const each of load ? [load] : Object.values(commands)) (await each())(root, session);
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

import { createInterface } from "node:readline/promises";
import { type Command, Option } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { retire } from "../../engine/retire.ts";
import { Fault } from "../../faults/fault.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { keepPoints?: true; deletePoints?: true };

export function addRetire(root: Command, session: Session): void {
  subcommand(root, "retire <name>", "guard a job no more, and say what becomes of its points", "holdfast retire lj --keep-points")
    .addOption(new Option("--keep-points", "its points stay restorable under its name").conflicts("deletePoints"))
    .addOption(new Option("--delete-points", "delete its points for good"))
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "retire");
      const said = options.deletePoints ? "delete" : options.keepPoints ? "keep" : "undecided";
      const report = await retire(engine.ports, name, said).catch(async (error: unknown) => {
        const asks = error instanceof Fault && error.code === "points-undecided" && process.stdin.isTTY && options.json !== true;
        if (!asks) throw error;
        return retire(engine.ports, name, await ask(error.message));
      });
      const points = report.points === 0 ? "it had no points" : `${report.points} points ${report.deleted ? "deleted" : "kept"}`;
      const runs = report.stillRuns ? "\n  it still runs, unguarded now" : "";
      print(options.json === true, { job: name, ...report }, `${name}: retired, ${points}${runs}`);
    });
}

async function ask(message: string): Promise<"keep" | "delete"> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${message}. Keep them, or delete them for good? [keep/delete] `);
  lines.close();
  if (answer.trim() === "delete") return "delete";
  if (answer.trim() === "keep") return "keep";
  throw Fault.of("usage", { what: "nothing was done: the answer is keep or delete", command: "retire" });
}

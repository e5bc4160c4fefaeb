import { styleText } from "node:util";
import { type Command, Option } from "commander";
import { examineMachine, makeReady } from "../../compose.ts";
import { canTake, type Conclusion, concludeDoctor } from "../../engine/doctor.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { fix?: true };

export function addDoctor(root: Command, session: Session): void {
  subcommand(root, "doctor", "what this machine can do, and what follows", "holdfast doctor --fix")
    .addOption(new Option("--fix", "install a CRIU that works here (beside the system's packages) and build the small init"))
    .action(async (options: Options) => {
      const settings = session.settings(options);
      if (options.fix) await makeReady(settings, (text) => (options.quiet ? undefined : process.stderr.write(`${text}\n`)));
      const facts = await examineMachine(settings);
      const conclusions = concludeDoctor(facts);
      const works = canTake(conclusions);
      print(
        options.json === true,
        { works, criu: facts.criu, facts, conclusions },
        doctorText(facts.kernel, facts.distribution, conclusions, works),
      );
      if (!works) session.exitStatus = 14;
    });
}

const colours = { good: "green", limits: "yellow", stops: "red" } as const;
const marks = { good: "ok    ", limits: "less  ", stops: "stops " } as const;

function doctorText(kernel: string, distribution: string | null, conclusions: readonly Conclusion[], works: boolean): string {
  const lines = conclusions.map(
    ({ level, what, follows }) =>
      `${styleText(colours[level], marks[level], { stream: process.stdout })} ${what}\n         ${follows}`,
  );
  const verdict = works ? "generations can be taken here" : "no generation can be taken here yet: see the lines marked `stops`";
  return [`kernel ${kernel}, ${distribution ?? "unknown distribution"}`, ...lines, verdict].join("\n");
}

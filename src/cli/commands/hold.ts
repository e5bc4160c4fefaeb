import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { hold } from "../../engine/hold.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point: string; note?: string };

export function addHold(root: Command, session: Session): void {
  subcommand(root, "hold <name>", "keep a point whatever the policy says", "holdfast hold lj --point 7 --note 'before the melt'")
    .requiredOption("--point <number>", "the point")
    .option("--note <text>", "why")
    .action((word: string, options: Options) => perform(session, word, options, true));
}

export function addRelease(root: Command, session: Session): void {
  subcommand(root, "release <name>", "take the hold off a point", "holdfast release lj --point 7")
    .requiredOption("--point <number>", "the point")
    .action((word: string, options: Options) => perform(session, word, options, false));
}

async function perform(session: Session, word: string, options: Options, held: boolean): Promise<void> {
  const name = parseJobName(word);
  const engine = await session.engine(options, held ? "hold" : "release");
  const point = await hold(engine.ports, name, wholeNumber(options.point, "--point"), held, options.note ?? null);
  const text = held ? `point ${point.number} is held: no policy takes it` : `point ${point.number} is the policy's again`;
  print(options.json === true, { job: name, point: point.number, held }, `${name}: ${text}`);
}

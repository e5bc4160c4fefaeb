import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { verify, type VerifyReport } from "../../engine/verify.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point?: string };

export function addVerify(root: Command, session: Session): void {
  subcommand(root, "verify [name]", "read points back: digests, chains, every page", "holdfast verify lj")
    .option("--point <number>", "this point and the chain below it")
    .action(async (word: string | undefined, options: Options) => {
      const engine = await session.engine(options, "verify");
      const names = word === undefined ? (await engine.ports.catalogue.jobs()).map((job) => job.name) : [parseJobName(word)];
      const number = options.point === undefined ? null : wholeNumber(options.point, "--point");
      const reports: VerifyReport[] = [];
      for (const name of names) reports.push(await verify(engine.ports, name, number));
      print(options.json === true, { jobs: reports }, reports.map(verifyText).join("\n"));
      if (reports.some((report) => report.damage.length > 0)) session.exitStatus = 13;
    });
}

function verifyText({ job, checked, damage }: VerifyReport): string {
  if (damage.length === 0) return `${job}: ${checked.length} points read back, all whole`;
  return [
    `${job}: damage found; the next take makes a base`,
    ...damage.map(({ number, file, why }) => `  point ${number}: ${file}: ${why}`),
  ].join("\n");
}

import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { parseShare } from "../../domain/share.ts";
import { verify, type VerifyReport } from "../../engine/verify.ts";
import { print } from "../print.ts";
import { verifyText } from "../render/verify.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point?: string; readData?: string };

export function addVerify(root: Command, session: Session): void {
  subcommand(root, "verify [name]", "read points back: digests, chains, every page", "holdfast verify lj --read-data 5%")
    .option("--point <number>", "this point and the chain below it")
    .option(
      "--read-data <share>",
      "read this share of pages and captured files, picked at random; all else is always checked (100%)",
    )
    .action(async (word: string | undefined, options: Options) => {
      const name = word === undefined ? null : parseJobName(word);
      const number = options.point === undefined ? null : wholeNumber(options.point, "--point");
      const share = options.readData === undefined ? 1 : parseShare(options.readData);
      const engine = await session.engine(options, "verify");
      const names = name === null ? (await engine.ports.catalogue.jobs()).map((job) => job.name) : [name];
      const reports: VerifyReport[] = [];
      for (const each of names) reports.push(await verify(engine.ports, each, number, share));
      print(options.json === true, { jobs: reports }, reports.map(verifyText).join("\n"));
      if (reports.some((report) => report.damage.length > 0)) session.exitStatus = 13;
    });
}

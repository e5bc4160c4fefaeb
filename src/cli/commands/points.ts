import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { findJob } from "../../engine/find-job.ts";
import { allGenerations, points } from "../../engine/queries.ts";
import { print } from "../print.ts";
import { generationHead, generationJson, generationRow } from "../render/generation.ts";
import { tree } from "../render/tree.ts";
import { table } from "../render/table.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { all?: true; tree?: true };

export function addPoints(root: Command, session: Session): void {
  subcommand(root, "points <name>", "the points a job can be brought back to, oldest first", "holdfast points lj")
    .option("--all", "damaged, failed and expired ones too")
    .option("--tree", "chains and timelines")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const { ports, settings } = await session.engine(options);
      await findJob(ports, name);
      const listed = options.all ? await allGenerations(ports, name) : await points(ports, name);
      if (options.json) {
        const document = { points: listed.map((one) => generationJson(one, ports.vault.generationFolder(name, one.number))) };
        print(true, document, "");
        return;
      }
      const rows = listed.map((one) => generationRow(one, settings.zone));
      const drawn = options.tree ? tree(listed, await ports.catalogue.runs(name), settings.zone) : table(generationHead, rows);
      print(false, null, rows.length === 0 ? `${name} has no restore point yet` : drawn);
    });
}

import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { advise } from "../../engine/advise.ts";
import { print } from "../print.ts";
import { adviceJson, adviceText } from "../render/advice.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addAdvise(root: Command, session: Session): void {
  subcommand(root, "advise <name>", "how often a generation is worth it, and what it costs", "holdfast advise lj").action(
    async (word: string, options: Common) => {
      const name = parseJobName(word);
      const engine = await session.engine(options);
      const advice = await advise(engine.ports, name);
      print(options.json === true, adviceJson(advice), adviceText(advice, engine.settings.interval));
    },
  );
}

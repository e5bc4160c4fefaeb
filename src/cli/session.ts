import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Command, Option } from "commander";
import { compose, type Engine } from "../compose.ts";
import type { EngineEvent } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { readSettings, type Settings } from "../settings/read.ts";
import { Progress } from "./render/progress.ts";

/** The options every command has. */
export type Common = {
  readonly json?: true;
  readonly config?: string;
  readonly vault?: string;
  readonly catalogue?: string;
  readonly quiet?: true;
};

const systemConfig = "/etc/holdfast/holdfast.toml";

/** One command line's life: its settings, the engine opened when it is first needed, the exit status it will end with. */
export class Session {
  exitStatus = 0;
  #engine: Engine | null = null;

  settings(common: Common): Settings {
    const named = common.config ?? process.env["HOLDFAST_CONFIG"];
    const file = named ?? (existsSync(systemConfig) ? systemConfig : null);
    return readSettings({
      file: file === null ? null : { name: file, text: read(file) },
      env: process.env,
      flags: {
        ...(common.vault === undefined ? {} : { "vault.path": path.resolve(common.vault) }),
        ...(common.catalogue === undefined ? {} : { catalogue: path.resolve(common.catalogue) }),
      },
    });
  }

  async engine(common: Common, verb?: string): Promise<Engine> {
    if (this.#engine) return this.#engine;
    const settings = this.settings(common);
    if (verb !== undefined && process.geteuid?.() !== 0) throw Fault.of("not-root", { verb });
    const progress = new Progress(common.json !== true && common.quiet !== true && process.stderr.isTTY);
    const say = (event: EngineEvent) => {
      if (event.type === "notice" && common.quiet !== true) process.stderr.write(`holdfast: ${event.job}: ${event.text}\n`);
      else progress.show(event);
    };
    this.#engine = await compose(settings, { events: { emit: say } });
    return this.#engine;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
  }
}

/** A subcommand with the options every command has. */
export function subcommand(parent: Command, nameAndArguments: string, description: string, example: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .addOption(new Option("--json", "one JSON document on standard output"))
    .addOption(new Option("--quiet", "no notices, no progress"))
    .addOption(new Option("--config <file>", "settings file (HOLDFAST_CONFIG)"))
    .addOption(new Option("--vault <dir>", "the vault (HOLDFAST_VAULT)"))
    .addOption(new Option("--catalogue <file>", "the catalogue (HOLDFAST_CATALOGUE)"))
    .addHelpText("after", `\nExample:\n  ${example}`)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw Fault.of("settings-missing", { file, why: error instanceof Error ? error.message : String(error) }, { cause: error });
  }
}

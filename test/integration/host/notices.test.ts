import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp("/tmp/holdfast-notices-");
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const said = () => path.join(folder, "said");

/** A hook of its own; `$said` is a file it may write to. */
async function hook(body: string): Promise<string> {
  const file = path.join(folder, "hook");
  await writeFile(file, `#!/bin/sh\nsaid='${said()}'\n${body}\n`);
  await chmod(file, 0o755);
  return file;
}

/** Runs the process that tells; gives what it logged and how long it lived. */
async function tell(how: "main" | "stay" | "thread", words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const began = performance.now();
  const file = path.join(import.meta.dirname, "tell.ts");
  const child = spawn(process.execPath, [file, how, folder, ...words], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (part: Buffer) => (text += part.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  const lines = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Record<string, unknown>]));
  return { status, lines, milliseconds: performance.now() - began };
}

async function written(what: RegExp): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const text = await readFile(said(), "utf8").catch(() => "");
    if (what.test(text)) return text;
    await wait(50);
  }
  throw new Error(`the hook never wrote ${String(what)}`);
}

describe("a hook", () => {
  test("gets the notice whole, though who told it has ended before it reads", async () => {
    const { status, milliseconds } = await tell("main", [await hook(`sleep 0.8; cat > "$said"; echo end >> "$said"`)]);
    expect(status).toBe(0);
    await expect(readFile(said())).rejects.toThrow("ENOENT");
    const [line = ""] = (await written(/end/)).split("\n");
    expect(JSON.parse(line)).toEqual({
      event: "took",
      job: "lj",
      time: "1970-01-01T00:00:00.000Z",
      point: 7,
      code: null,
      message: "well",
      host: "here",
      vault: "/vault",
    });
    expect(milliseconds).toBeLessThan(20_000);
  });

  test("told from a worker thread that ends at once is run by the main thread, and leaves no zombie", async () => {
    const { status, lines } = await tell("thread", [await hook(`cat > "$said"`)]);
    expect({ status, lines }).toEqual({ status: 0, lines: [] });
    expect(JSON.parse(await written(/\n/))).toMatchObject({ event: "took", point: 7 });
  });

  test("has no name for its input left behind, and words with spaces and signs reach it as they are", async () => {
    await tell("main", [await hook(`printf '%s|' "$@" > "$said"; echo end >> "$said"`), "two words", "$HOME; rm -rf /", "-x"]);
    expect(await written(/end/)).toBe("two words|$HOME; rm -rf /|-x|end\n");
    expect((await readdir(folder)).toSorted()).toEqual(["hook", "said"]);
  });

  test("gets the settings' variables and a plain environment, and nothing else of the caller's", async () => {
    const env = { SECRET: "x", HOLDFAST_CONFIG: "/etc/holdfast/holdfast.toml", HOLDFAST_VAULT: "/other" };
    await tell("main", [await hook(`env > "$said"; echo end >> "$said"`)], env);
    const names = (await written(/end/)).split("\n").map((line) => line.split("=")[0] ?? "");
    const shells = new Set(["PWD", "OLDPWD", "SHLVL", "_", "end", ""]);
    expect(names.filter((name) => !shells.has(name) && !/^HOLDFAST_(TEST|REQUIRE)_/.test(name)).toSorted()).toEqual(
      ["HOME", "LANG", "PATH", "HOLDFAST_CONFIG", "HOLDFAST_VAULT"].toSorted(),
    );
    expect(await readFile(said(), "utf8")).toContain("HOLDFAST_VAULT=/vault");
  });

  test("that neither reads nor holds its tongue harms nothing and is no failure", async () => {
    const { status, lines } = await tell("stay", [await hook(`exec <&-; head -c 50000000 /dev/zero; echo end > "$said"`)]);
    await written(/end/);
    expect({ status, lines }).toEqual({ status: 0, lines: [] });
  });

  test.each([
    ["fails", "exit 3", "ended with 3"],
    ["is ended by a signal", "kill -SEGV $$", "was ended by SIGSEGV"],
    ["hangs", "sleep 60 & sleep 60", "was ended after 1 s"],
  ])("that %s is one line in the log", async (_, body, why) => {
    const file = await hook(body);
    const { status, lines } = await tell("stay", [file]);
    expect(status).toBe(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ event: "notice-failed", notice: "took", job: "lj" });
    expect(lines[0]?.["text"]).toContain(why);
  });

  test("that is not there, or is no program, is one line in the log", async () => {
    expect((await tell("stay", ["/no/such/hook"])).lines).toMatchObject([{ text: "the hook /no/such/hook is not there" }]);
    const file = await hook("");
    await chmod(file, 0o644);
    expect((await tell("stay", [file])).lines).toMatchObject([{ text: `the hook ${file} cannot be run` }]);
  });

  test("that hangs is ended with all it has started, when who told it is long gone", async () => {
    await tell("main", [await hook(`sleep 61.25 & echo $! > "$said"; wait`)]);
    const pid = Number(await written(/\d\n/));
    for (let tries = 0; tries < 200; tries++) {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      if (stat === "" || /\) [ZX] /.test(stat)) return;
      await wait(50);
    }
    throw new Error("what the hook started lives on");
  });
});

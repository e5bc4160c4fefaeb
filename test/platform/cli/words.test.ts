import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { runCommandLine } from "../../../src/cli/command-line.ts";
import { child } from "../child.ts";
import { launcher } from "../setup.ts";

type Said = { readonly status: number; readonly stdout: string; readonly stderr: string };

/** The command line within this process: what a child would print, without starting one for each of many words. */
async function say(words: readonly string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const listeners = { int: process.listeners("SIGINT"), out: process.stdout.listeners("error") };
  vi.spyOn(process.stdout, "write").mockImplementation((part) => out.push(String(part)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((part) => err.push(String(part)) > 0);
  try {
    return { status: await runCommandLine(words), stdout: out.join(""), stderr: err.join("") };
  } finally {
    vi.restoreAllMocks();
    for (const one of process.listeners("SIGINT")) if (!listeners.int.includes(one)) process.off("SIGINT", one);
    for (const one of process.stdout.listeners("error"))
      if (!listeners.out.includes(one)) process.stdout.off("error", one as () => void);
  }
}

afterEach(() => vi.restoreAllMocks());

/** Every command there is, as the help lists them; groups opened. */
const commands: string[][] = [];

beforeAll(async () => {
  for (const name of listed((await say(["--help"])).stdout)) {
    const below = listed((await say([name, "--help"])).stdout);
    if (below.length === 0) commands.push([name]);
    for (const word of below) commands.push([name, word]);
  }
});

function listed(help: string): readonly string[] {
  const section = help.split(/^Commands:$/m)[1]?.split(/^\S/m)[0] ?? "";
  return [...section.matchAll(/^ {2}(\w[\w-]*)/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
}

test("the help lists every command that is promised", () => {
  const promised = [
    "doctor",
    "serve",
    "run",
    "protect",
    "status",
    "points",
    "logs",
    "take",
    "restore",
    "stop",
    "resume",
    "retire",
    "export",
    "check",
  ];
  expect(commands.map((words) => words.join(" "))).toEqual(expect.arrayContaining([...promised, "catalogue rebuild"]));
});

test("every command has a help with an example, and ends it with 0", async () => {
  for (const words of commands) {
    const said = await say([...words, "--help"]);
    expect(said.status, words.join(" ")).toBe(0);
    expect(said.stdout, words.join(" ")).toMatch(new RegExp(`Example:\\n +holdfast ${words.join(" ")}`));
    expect(said.stderr).toBe("");
  }
});

test("an option that is not there is refused by every command: exit status 2, one sentence, one JSON document", async () => {
  for (const words of commands) {
    const named = await requiredOf(words);
    const text = await say([...words, ...named, "--no-such-option"]);
    expect(text.status, words.join(" ")).toBe(2);
    expect(text.stdout, words.join(" ")).toBe("");
    expect(text.stderr, words.join(" ")).toContain("--no-such-option");
    const json = await say([...words, ...named, "--no-such-option", "--json"]);
    expect(json.status, words.join(" ")).toBe(2);
    expect(JSON.parse(json.stdout), words.join(" ")).toMatchObject({
      fault: { code: "usage", message: expect.stringContaining("--no-such-option") },
    });
  }
});

/** The options the command does not go without: of those it tells first. */
async function requiredOf(words: readonly string[]): Promise<readonly string[]> {
  const { stderr } = await say([...words, "x", "x"]);
  const [, option] = /required option '(--[\w-]+) /.exec(stderr) ?? [];
  return option === undefined ? [] : [option, "1"];
}

test("missing and surplus words are usage faults", async () => {
  for (const words of [
    ["run", "--name", "x"],
    ["run", "--", "true"],
    ["take"],
    ["export", "x"],
    ["status", "a", "b"],
    ["check"],
    ["nonsense"],
    ["protect", "x", "--name", "y"],
  ]) {
    const { status, stdout } = await say([...words.slice(0, 1), "--json", ...words.slice(1)]);
    expect(status, words.join(" ")).toBe(2);
    expect(JSON.parse(stdout), words.join(" ")).toMatchObject({
      fault: { code: "usage", remedy: expect.stringContaining("--help") },
    });
  }
});

test("without any word the help is shown, and that is exit status 2", async () => {
  for (const words of [[], ["catalogue"]]) {
    const { status, stdout, stderr } = await say(words);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Commands:");
  }
});

test("the service's own main answers in the same manner", async () => {
  const help = await child([launcher, "serve", "--help"]);
  expect(help.status).toBe(0);
  expect(help.stdout).toContain("Example:");
  const wrong = await child([launcher, "serve", "--no-such-option", "--json"]);
  expect(wrong.status).toBe(2);
  expect(JSON.parse(wrong.stdout)).toMatchObject({ fault: { code: "usage" } });
});

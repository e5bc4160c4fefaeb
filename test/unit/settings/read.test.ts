import { expect, test } from "vitest";
import { readSettings } from "../../../src/settings/read.ts";

const none = { file: null, env: {}, flags: {} };
const fromFile = (text: string) => readSettings({ ...none, file: { name: "h.toml", text } });
const fromEnv = (env: Record<string, string>) => readSettings({ ...none, env });
const refusal = (message: RegExp | string) =>
  expect.objectContaining({
    code: "settings-invalid",
    exitStatus: 2,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });

test("without any source every setting has its default, sizes in bytes and durations in milliseconds", () => {
  const settings = readSettings(none);
  expect(settings).toMatchObject({
    catalogue: "",
    staging: "",
    vault: { path: "/var/lib/holdfast", minFree: 0, key: "" },
    criu: { path: "auto", prefixRoot: "/var/cache/holdfast" },
    defaults: { every: "10m", maxChain: 24 },
    files: { limit: 1_073_741_824, temporary: ["/dev/shm", "/run", "/tmp"] },
    limits: { dumpTimeout: 600_000, restoreTimeout: 600_000, stopTimeout: 60_000, takesAtOnce: "auto" },
    verify: { slice: { share: 1, of: 7 } },
    service: { logLevel: "info" },
  });
  expect(settings.zone).not.toBe("");
});

test("settings are frozen to the last leaf, and can be sent to a worker thread", () => {
  const settings = readSettings(none);
  expect(() => Object.assign(settings.vault, { path: "/x" })).toThrow(TypeError);
  expect(() => (settings.files.temporary as string[]).push("/x")).toThrow(TypeError);
  expect(structuredClone(settings)).toEqual(settings);
});

test("the file is stronger than the defaults, variables than the file, flags than all", () => {
  const file = { name: "h.toml", text: '[vault]\npath = "/file"\nmin-free = "2GiB"\n' };
  expect(readSettings({ ...none, file }).vault).toMatchObject({ path: "/file", minFree: 2_147_483_648 });
  const env = { HOLDFAST_VAULT: "/env" };
  expect(readSettings({ ...none, file, env }).vault).toMatchObject({ path: "/env", minFree: 2_147_483_648 });
  expect(readSettings({ file, env, flags: { "vault.path": "/flag" } }).vault.path).toBe("/flag");
});

test("every kind of value can come from a variable", () => {
  const settings = fromEnv({
    HOLDFAST_CATALOGUE: "/c.sqlite",
    HOLDFAST_STAGING: "/dev/shm/s",
    HOLDFAST_CRIU_PATH: "/usr/sbin/criu",
    HOLDFAST_ZONE: "Asia/Kolkata",
    HOLDFAST_LIMITS_TAKES_AT_ONCE: "7",
    HOLDFAST_LIMITS_DUMP_TIMEOUT: "90s",
    HOLDFAST_FILES_LIMIT: "20GiB",
    HOLDFAST_FILES_TEMPORARY: "/a:/b",
    HOLDFAST_SERVICE_LOG_LEVEL: "debug",
    HOLDFAST_VERIFY_SLICE: "2/30",
    HOLDFAST_DEFAULTS_EVERY: "never",
  });
  expect(settings).toMatchObject({
    catalogue: "/c.sqlite",
    staging: "/dev/shm/s",
    criu: { path: "/usr/sbin/criu" },
    zone: "Asia/Kolkata",
    limits: { takesAtOnce: 7, dumpTimeout: 90_000 },
    files: { limit: 20 * 2 ** 30, temporary: ["/a", "/b"] },
    verify: { slice: { share: 2, of: 30 } },
    service: { logLevel: "debug" },
    defaults: { every: "never" },
  });
  expect(fromEnv({ HOLDFAST_FILES_TEMPORARY: "" }).files.temporary).toEqual([]);
});

test("variables that are no settings are left alone, and so is every other program's", () => {
  const env = {
    HOLDFAST_CONFIG: "/x",
    HOLDFAST_REQUIRE_CRIU: "1",
    HOLDFAST_TEST_ANY: "1",
    HOLDFAST_NODE: "/n",
    PATH: "/bin",
    XHOLDFAST_Y: "1",
  };
  expect(fromEnv(env)).toEqual(readSettings(none));
});

test.each([
  [{ HOLDFAST_VALT: "/x" }, /^the environment: HOLDFAST_VALT: there is no such variable; did you mean HOLDFAST_VAULT\?$/],
  [{ HOLDFAST_VAULT_PATH: "/x" }, /did you mean HOLDFAST_VAULT\?$/],
  [{ HOLDFAST_SOMETHING_ELSE_ALTOGETHER: "/x" }, /there is no such variable$/],
  [
    { HOLDFAST_VAULT: "relative" },
    /^the environment: HOLDFAST_VAULT \(vault\.path\): expected an absolute path, .* found "relative"$/,
  ],
  [{ HOLDFAST_VAULT: "" }, /expected an absolute path/],
  [
    { HOLDFAST_LIMITS_TAKES_AT_ONCE: "2.5" },
    /limits\.takes-at-once\): expected "auto", or a whole number from 1 to 64, found "2\.5"/,
  ],
  [{ HOLDFAST_LIMITS_TAKES_AT_ONCE: "" }, /or a whole number/],
  [{ HOLDFAST_FILES_TEMPORARY: "/a:b" }, /expected a list of absolute paths/],
])("the environment %j is refused by name", (env, message) => {
  expect(() => fromEnv(env as Record<string, string>)).toThrow(refusal(message));
});

test("a wrong flag is refused as the command line's", () => {
  const read = () => readSettings({ ...none, flags: { "vault.path": "v" } });
  expect(read).toThrow(refusal(/^the command line: vault\.path: expected an absolute path/));
});

test.each([
  ["[vault]\npath = 3\n", /^h\.toml:2: vault\.path: expected an absolute path, such as \/var\/lib\/holdfast, found 3$/],
  ['\n[limits] # times\n# no\n"dump-timeout" = "10"\n', /^h\.toml:4: limits\.dump-timeout: expected a duration .*, found "10"$/],
  ["[limits]\ntakes-at-once = 0\n", /^h\.toml:2: limits\.takes-at-once: expected "auto", or a whole number from 1 to 64, found 0$/],
  ["[limits]\ntakes-at-once = '2'\n", /expected "auto", or a whole number from 1 to 64, found "2"$/],
  [
    '[files]\ntemporary = [\n  "/a",\n  "b",\n]\n',
    /^h\.toml:2: files\.temporary: expected a list of absolute paths, found \["\/a","b"\]$/,
  ],
  ['files.limit = "20G"\n', /^h\.toml:1: files\.limit: expected a size/],
  ['vault = { path = "x" }\n', /^h\.toml:1: vault\.path: expected an absolute path/],
  ['vault = "/x"\n', /^h\.toml:1: vault: expected a section, \[vault\], found "\/x"$/],
  ['zone = "Mars/Olympus"\n', /^h\.toml:1: zone: expected a time zone/],
  ['[defaults]\nevery = "0s"\n', /^h\.toml:2: defaults\.every: expected a duration of 1s or more/],
  ['[defaults]\nkeep = "six"\n', /^h\.toml:2: defaults\.keep: expected rules such as/],
  ['[service]\nlog-level = "loud"\n', /^h\.toml:2: service\.log-level: expected one of debug, info, warn, error, found "loud"$/],
  ["catalogue = 2026-11-21\n", /^h\.toml:1: catalogue: expected an absolute path/],
])("of %j the line, the path, what was expected and what was found are said", (text, message) => {
  expect(() => fromFile(text)).toThrow(refusal(message));
});

test.each([
  ['[vault]\npath = "/x"\nminfree = "1GiB"\n', "h.toml:3: vault.minfree: there is no such key; did you mean vault.min-free?"],
  ['[vualt]\npath = "/x"\n', "h.toml:1: vualt: there is no such key; did you mean vault?"],
  ["[limits]\nmax-chain = 2\n", "h.toml:2: limits.max-chain: there is no such key; did you mean defaults.max-chain?"],
  ["\nsomething-else = 2\n", "h.toml:2: something-else: there is no such key"],
  ["[vault.path]\nx = 1\n", 'h.toml:1: vault.path: expected an absolute path, such as /var/lib/holdfast, found {"x":1}'],
])("in %j the unknown key is named with its line, and the near one", (text, message) => {
  expect(() => fromFile(text)).toThrow(refusal(message));
});

test("of several wrong things the first in the file is named, and the others are counted", () => {
  const text = 'staging = "x"\n[limits]\ntakes-at-once = 0\n[vault]\nwhat = 1\npath = 7\n';
  expect(() => fromFile(text)).toThrow(refusal(/^h\.toml:1: staging: .* \(and 3 more in this file\)$/));
});

test("a file that is not TOML is refused with line and column", () => {
  expect(() => fromFile('[vault]\npath = "/x\n')).toThrow(refusal(/^h\.toml:2: column \d+: /));
  expect(() => fromFile('[vault]\npath = "/x"\npath = "/y"\n')).toThrow(refusal(/^h\.toml:3: column 1: .*redefine/));
});

test("a wrong value in the file is refused even where a variable would overrule it", () => {
  const file = { name: "h.toml", text: "[vault]\npath = 3\n" };
  expect(() => readSettings({ file, env: { HOLDFAST_VAULT: "/x" }, flags: {} })).toThrow(refusal(/^h\.toml:2/));
});

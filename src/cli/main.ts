import nodeModule from "node:module";

// The version is looked at before anything that loads better-sqlite3, which ends an older Node without a word (exit 139).
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(`holdfast: needs Node 24.12 or newer, this is ${process.version}; start it as bin/holdfast\n`);
  process.exit(1);
}
// Root's own folder: compiled code from one that others can write would run as root.
const compiled = "/var/cache/holdfast/node";
if (process.geteuid?.() === 0) nodeModule.enableCompileCache(compiled);
// By bin/holdfast, for this process alone: jobs and hooks do not inherit it.
if (process.env["NODE_COMPILE_CACHE"] === compiled) delete process.env["NODE_COMPILE_CACHE"];
const { runCommandLine } = await import("./command-line.ts");
process.exitCode = await runCommandLine(process.argv.slice(2));

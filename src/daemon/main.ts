import nodeModule from "node:module";

// As in cli/main.ts: an older Node would end without a word when better-sqlite3 is loaded.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(`holdfast: needs Node 24.12 or newer, this is ${process.version}; start it as bin/holdfast serve\n`);
  process.exit(1);
}
// Root's own folder: compiled code from one that others can write would run as root.
if (process.geteuid?.() === 0) nodeModule.enableCompileCache("/var/cache/holdfast/node");
const { serve } = await import("./serve.ts");
process.exitCode = await serve(process.argv.slice(2));

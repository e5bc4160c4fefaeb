// As in cli/main.ts: an older Node would end without a word when better-sqlite3 is loaded.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(`holdfast: needs Node 24.12 or newer, this is ${process.version}; start it as bin/holdfast serve\n`);
  process.exit(1);
}
const { serve } = await import("./serve.ts");
process.exitCode = await serve(process.argv.slice(2));

// The walls of the house; docs/adr/0001 says why. Imports look down, never up, never sideways. Each rule has a comment that says where the
// code belongs instead. test/law/walls.test.ts plants an offence against each rule, so that none is only written down. That the ports are
// imported as types alone is held by test/law/house.test.ts, since swc does not tell type imports from others.

const adapters = "criu|catalogue|vault|host";
const roof = "cli|daemon|dashboard";
const npm = ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "npm-unknown"];

/** One package, one home: the only files that may import it. */
const homes = {
  execa: "^src/(criu|host)/",
  kysely: "^(src/catalogue|migrations)/",
  "better-sqlite3": "^(src/catalogue|migrations)/",
  bree: "^src/daemon/",
  pino: "^src/host/",
  koffi: "^src/host/",
  commander: "^src/cli/",
  zod: `^src/(settings|${adapters})/`,
  "smol-toml": "^src/settings/",
  "cron-parser": "^src/domain/schedule\\.ts$",
  luxon: "^src/domain/(schedule|time|retention)\\.ts$",
};

const inNodeModules = (name) => `node_modules/${name}/`;

module.exports = {
  forbidden: [
    {
      name: "no-circle",
      comment: "Two files that need each other are one file, or a third one below both holds what they share.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "everything-is-found",
      comment: "The imported file or package is not there: mend the path, or add the package to package.json.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "faults-stand-alone",
      comment: "The table of faults is the ground under the ground: what needs more belongs in the room that throws the fault.",
      severity: "error",
      from: { path: "^src/faults/" },
      to: { path: "^(src|jobs|migrations|test|bench)/", pathNot: "^src/faults/" },
    },
    {
      name: "domain-looks-at-faults-only",
      comment: "The words and their laws are pure. What touches the world is a port of the engine and an adapter behind it.",
      severity: "error",
      from: { path: "^src/domain/" },
      to: { path: "^(src|jobs|migrations|test|bench)/", pathNot: "^src/(domain|faults)/" },
    },
    {
      name: "images-look-at-faults-only",
      comment: "CRIU's formats are bytes and values. Reading and writing files is the vault's, planning the domain's.",
      severity: "error",
      from: { path: "^src/images/" },
      to: { path: "^(src|jobs|migrations|test|bench)/", pathNot: "^src/(images|faults)/" },
    },
    {
      name: "settings-look-at-domain-and-faults",
      comment: "Settings turn text into frozen values. What acts on them is put together in src/compose.ts.",
      severity: "error",
      from: { path: "^src/settings/" },
      to: { path: "^(src|jobs|migrations|test|bench)/", pathNot: "^src/(settings|domain|faults)/" },
    },
    {
      name: "ground-and-engine-know-no-machine",
      comment: "No node:* in the ground or the engine: ask for it through a port in src/engine/ports.ts, and let src/host implement it.",
      severity: "error",
      from: { path: "^src/(faults|domain|images|settings|engine)/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "engine-knows-no-package",
      comment: "The engine is ours alone: a package belongs behind a port, in the adapter that is its home.",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { dependencyTypes: npm },
    },
    {
      name: "engine-looks-at-ground-only",
      comment: "A verb reaches the world through the ports it is given; src/compose.ts decides which adapter stands behind each.",
      severity: "error",
      from: { path: "^src/engine/" },
      to: { path: "^(src|jobs|migrations|test|bench)/", pathNot: "^src/(engine|domain|images|settings|faults)/" },
    },
    {
      name: "adapters-know-only-the-ports",
      comment: "An adapter implements src/engine/ports.ts and calls no verb. What a verb and an adapter share is a word of src/domain.",
      severity: "error",
      from: { path: `^src/(${adapters})/` },
      to: { path: "^src/engine/", pathNot: "^src/engine/ports\\.ts$" },
    },
    {
      name: "adapters-do-not-meet",
      comment: "What two adapters need belongs in the ground (a word, a format), or is passed from one to the other by src/compose.ts.",
      severity: "error",
      from: { path: `^src/(${adapters})/` },
      to: { path: `^src/(${adapters})/`, pathNot: "^src/$1/" },
    },
    {
      name: "nobody-looks-up",
      comment: "Adapters and compose serve the doors above; they are called, they do not call. Pass a function in instead.",
      severity: "error",
      from: { path: `^src/(${adapters})/|^src/compose\\.ts$` },
      to: { path: `^src/(${roof})/|^(jobs|migrations|test|bench)/` },
    },
    {
      name: "adapters-do-not-compose",
      comment: "Only doors (cli, daemon, jobs) call src/compose.ts; an adapter gets what it needs as arguments.",
      severity: "error",
      from: { path: `^src/(${adapters})/` },
      to: { path: "^src/compose\\.ts$" },
    },
    {
      name: "only-compose-knows-adapters",
      comment: "Doors reach adapters through the ports in the Engine that src/compose.ts gives; add there what is missing.",
      severity: "error",
      from: { path: `^src/(${roof})/|^jobs/` },
      to: { path: `^src/(${adapters})/` },
    },
    {
      name: "rooms-of-the-roof-do-not-meet",
      comment: "The command line and the dashboard share verbs of the engine with the other rooms, never code of theirs.",
      severity: "error",
      from: { path: "^src/(cli|dashboard)/" },
      to: { path: `^src/(${roof})/`, pathNot: "^src/$1/" },
    },
    {
      name: "daemon-mounts-the-dashboard-only",
      comment: "The service may mount the dashboard's pages; of the command line it needs nothing: share a verb of the engine.",
      severity: "error",
      from: { path: "^src/daemon/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "jobs-are-doors",
      comment: "A file in jobs/ opens compose, calls one verb of the engine, and closes. Its work belongs in src/engine.",
      severity: "error",
      from: { path: "^jobs/" },
      to: { path: `^src/(${roof})/|^(jobs|migrations|test|bench)/` },
    },
    {
      name: "migrations-stand-alone",
      comment: "A migration must mean the same in ten years: it imports kysely and nothing of ours, and says what it needs itself.",
      severity: "error",
      from: { path: "^migrations/" },
      to: { path: "^(src|jobs|test|bench|migrations)/" },
    },
    {
      name: "sources-do-not-import-doors-or-tests",
      comment: "jobs/ and migrations/ are started by name, tests and benches are never shipped.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(jobs|migrations|test|bench)/" },
    },
    {
      name: "no-package-without-a-home",
      comment: "Every package that is imported has one home, written down in `homes` in .dependency-cruiser.cjs. Is there really none of ours?",
      severity: "error",
      from: {},
      to: { dependencyTypes: npm, pathNot: Object.keys(homes).map(inNodeModules).concat("node_modules/@types/") },
    },
    ...Object.entries(homes).map(([name, home]) => ({
      name: `home-of-${name}`,
      comment: `${name} is imported in ${home} alone; call what that room offers, or offer more there.`,
      severity: "error",
      from: { pathNot: home },
      to: { path: inNodeModules(name) },
    })),
  ],
  options: {
    // TypeScript 7 has no JS API: without swc not one .ts file would be read, and the check would pass (ecosystem 6.1).
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};

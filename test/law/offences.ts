/**
 * One small house that offends against every wall: for each rule's name the files that break it. `DOOR` is written for a file that is
 * there so that an import resolves. Planted by `walls.test.ts` in a temporary folder.
 */
export const offences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no-circle": {
    "src/images/one.ts": 'import { two } from "./two.ts";\nexport const one = () => two;\n',
    "src/images/two.ts": 'import type { one } from "./one.ts";\nexport const two: typeof one | null = null;\n',
  },
  "everything-is-found": { "src/images/lost.ts": importOf("./nowhere.ts") },
  "faults-stand-alone": { "src/faults/up.ts": importOf("../domain/door.ts") },
  "domain-looks-at-faults-only": { "src/domain/sideways.ts": importOf("../images/door.ts") },
  "images-look-at-faults-only": { "src/images/sideways.ts": importOf("../domain/door.ts") },
  "settings-look-at-domain-and-faults": { "src/settings/up.ts": importOf("../engine/door.ts") },
  "ground-and-engine-know-no-machine": { "src/engine/disk.ts": importOf("node:fs") },
  "engine-knows-no-package": { "src/engine/checked.ts": importOf("zod") },
  "engine-looks-at-ground-only": { "src/engine/up.ts": importOf("../vault/door.ts") },
  "adapters-know-only-the-ports": { "src/vault/verb.ts": importOf("../engine/door.ts") },
  "adapters-do-not-meet": { "src/vault/sideways.ts": importOf("../host/door.ts") },
  "nobody-looks-up": { "src/host/up.ts": importOf("../cli/door.ts") },
  "adapters-do-not-compose": { "src/criu/compose.ts": importOf("../compose.ts") },
  "only-compose-knows-adapters": { "src/cli/direct.ts": importOf("../catalogue/door.ts") },
  "rooms-of-the-roof-do-not-meet": { "src/cli/sideways.ts": importOf("../daemon/door.ts") },
  "daemon-mounts-the-dashboard-only": { "src/daemon/sideways.ts": importOf("../cli/door.ts") },
  "jobs-are-doors": { "jobs/up.ts": importOf("../src/daemon/door.ts") },
  "migrations-stand-alone": { "migrations/0001-ours.ts": importOf("../src/faults/door.ts") },
  "sources-do-not-import-doors-or-tests": { "src/images/tested.ts": importOf("../../test/door.ts") },
  "no-package-without-a-home": { "src/host/packed.ts": importOf("vitest") },
  "home-of-execa": { "src/vault/started.ts": importOf("execa") },
  "home-of-kysely": { "src/vault/asked.ts": importOf("kysely") },
  "home-of-better-sqlite3": { "src/host/opened.ts": importOf("better-sqlite3") },
  "home-of-bree": { "src/cli/scheduled.ts": importOf("bree") },
  "home-of-pino": { "src/daemon/logged.ts": importOf("pino") },
  "home-of-koffi": { "src/vault/called.ts": importOf("koffi") },
  "home-of-commander": { "src/daemon/parsed.ts": importOf("commander") },
  "home-of-zod": { "src/domain/checked.ts": importOf("zod") },
  "home-of-smol-toml": { "src/host/read.ts": importOf("smol-toml") },
  "home-of-cron-parser": { "src/domain/time.ts": importOf("cron-parser") },
  "home-of-luxon": { "src/domain/target.ts": importOf("luxon") },
};

/** Harmless files for the offences to reach for. */
export const bystanders: readonly string[] = [
  ...["faults", "domain", "images", "settings", "engine", "vault", "host", "catalogue", "cli", "daemon"].map(
    (room) => `src/${room}/door.ts`,
  ),
  "src/compose.ts",
  "test/door.ts",
];

function importOf(what: string): string {
  return `import * as door from "${what}";\nexport const opened = door;\n`;
}

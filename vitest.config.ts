import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

// Below this better-sqlite3 ends the process without a word (exit status 139).
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `The tests need Node 24.12 or newer, this is ${process.version}. Run them with \`npm test\`, after an \`npm ci\` without --omit=optional.\n`,
  );
  process.exit(1);
}

const platformSetup = `${import.meta.dirname}/test/platform/setup.ts`;

/** Floors that share nothing: each file in a process of its own, several at a time. */
function floor(name: string) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      pool: "forks" as const,
      testTimeout: 30_000,
      sequence: { groupOrder: 0 },
    },
  };
}

/** `npm run test:lab`: a machine under software emulation, too slow for every run. */
const lab = {
  test: {
    name: "lab",
    include: ["test/lab/**/*.test.ts"],
    pool: "forks" as const,
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 900_000,
    sequence: { groupOrder: 2 },
    globalSetup: [`${import.meta.dirname}/test/lab/setup.ts`],
  },
};

export default defineConfig({
  test: {
    projects: [
      ...(process.env["HOLDFAST_TEST_LAB_ALL"] === "1" ? [lab] : []),
      ...["law", "unit", "contract", "integration"].map(floor),
      {
        test: {
          name: "platform",
          include: ["test/platform/**/*.test.ts"],
          pool: "forks",
          // Two: most of them wait for a program. Those that share a port or a folder are in one file.
          maxWorkers: 2,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
          ...(existsSync(platformSetup) ? { globalSetup: [platformSetup] } : {}),
        },
      },
    ],
  },
});

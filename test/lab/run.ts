import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

/**
 * Runs the lab floor: `node test/lab/run.ts [--all] [vitest's own words]`. Without `--all` on the machine of {@link build.sh}'s defaults, or of
 * `HOLDFAST_LAB_KERNEL` and `HOLDFAST_LAB_CRIU`; with it the whole matrix, one after the other, the first with fifty power cuts. Exit status
 * 0 only if each passed; with `--all` a machine that cannot be built is a failure, not a skip.
 */
type Combination = { readonly kernel: "bookworm" | "trixie"; readonly criu: "sid" | "trixie" | "bookworm" };

/** Two Debian kernels with soft-dirty, each with CRIU 4.2.1 and with the CRIU of the distribution. */
const matrix: readonly Combination[] = [
  { kernel: "bookworm", criu: "sid" },
  { kernel: "bookworm", criu: "bookworm" },
  { kernel: "trixie", criu: "sid" },
  { kernel: "trixie", criu: "trixie" },
];

const cutsOfLongRun = "50";

const words = process.argv.slice(2);
const rest = words.filter((word) => word !== "--all");
process.exitCode = words.includes("--all") ? await runMatrix() : await vitest({});

async function runMatrix(): Promise<number> {
  const ended: string[] = [];
  let worst = 0;
  for (const [turn, { kernel, criu }] of matrix.entries()) {
    const name = `kernel of ${kernel}, CRIU of ${criu}`;
    process.stderr.write(`lab ${turn + 1} of ${matrix.length}: ${name}\n`);
    const status = await vitest({
      HOLDFAST_REQUIRE_LAB: "1",
      HOLDFAST_LAB_KERNEL: kernel,
      HOLDFAST_LAB_CRIU: criu,
      ...(turn === 0 ? { HOLDFAST_TEST_CUTS: process.env["HOLDFAST_TEST_CUTS"] ?? cutsOfLongRun } : {}),
    });
    if (status === 130) return status;
    ended.push(`${status === 0 ? "passed" : `failed (${status})`}: ${name}`);
    worst = Math.max(worst, status);
  }
  process.stderr.write(`${ended.join("\n")}\n`);
  return worst;
}

/** vitest's exit status; 130 if a signal ended it. */
async function vitest(more: Readonly<Record<string, string>>): Promise<number> {
  const repo = path.join(import.meta.dirname, "../..");
  const child = spawn(process.execPath, [path.join(repo, "node_modules/vitest/vitest.mjs"), "run", "--project", "lab", ...rest], {
    cwd: repo,
    stdio: "inherit",
    env: { ...process.env, HOLDFAST_TEST_LAB_ALL: "1", ...more },
  });
  const end = () => child.kill("SIGTERM");
  process.once("SIGTERM", end);
  const [status] = (await once(child, "exit")) as [number | null];
  process.off("SIGTERM", end);
  return status ?? 130;
}

import { defineConfig } from "vitest/config";
export default defineConfig({ root: "/work/main", test: { name: "lab", include: ["test/lab/**/*.test.ts"], pool: "forks", fileParallelism: false, testTimeout: 600_000, hookTimeout: 180_000, globalSetup: ["/work/main/test/lab/setup.ts"] } });

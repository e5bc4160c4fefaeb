/** The environment a job starts with when run as `user` (`null`: as the caller). Fault: `user-unknown`. */
export async function userEnvironment(user: string | null): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    // What steers Holdfast itself is not the job's business, and would be frozen into its memory.
    if (value !== undefined && !name.startsWith("HOLDFAST_")) env[name] = value;
  }
  if (user === null) return env;
  const { findUser } = await import("./user.ts");
  const { name, home, shell } = await findUser(user);
  return { ...env, HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

/** Where programs are looked for. */
export function searchPath(): string {
  return process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin";
}

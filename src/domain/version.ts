/** True if `version` is `least` or newer; both are dotted numbers, what follows a dash or a letter is left out of account. */
export function atLeast(version: string, least: string): boolean {
  const [have, want] = [numbers(version), numbers(least)];
  for (let i = 0; i < Math.max(have.length, want.length); i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** Below zero if `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  if (!atLeast(a, b)) return -1;
  return atLeast(b, a) ? 0 : 1;
}

function numbers(version: string): readonly number[] {
  const [leading = ""] = /^\d+(\.\d+)*/.exec(version.replace(/^v/, "")) ?? [];
  return leading === "" ? [] : leading.split(".").map(Number);
}

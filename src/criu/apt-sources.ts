/** One archive as the machine's apt knows it. */
export type AptArchive = {
  readonly uri: string;
  /** Suites as written, for example `bookworm`. */
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Path of a keyring, or a key itself in deb822 form (many lines); `null`: apt's default keys. */
  readonly signedBy: string | null;
  readonly trusted: boolean;
};

export type AptFile = { readonly name: string; readonly text: string };

/** The binary archives in apt's lists, one-line (`*.list`) and deb822 (`*.sources`); what cannot be read is passed over. */
export function readAptSources(files: readonly AptFile[]): readonly AptArchive[] {
  return files.flatMap(({ name, text }) => (name.endsWith(".sources") ? readStanzas(text) : readLines(text)));
}

/**
 * The machine's own mirrors of its distribution: the archives that carry the release it runs (`codename`) with the component `main`.
 * Mirrors whose path ends in the distribution's name first, because others use its codename too.
 */
export function distributionMirrors(archives: readonly AptArchive[], id: string, codename: string): readonly AptArchive[] {
  const names = new Set([codename, "stable", "testing", "unstable", "sid"]);
  const fitting = archives.filter(
    ({ suites, components, uri }) =>
      suites.some((suite) => names.has(suite)) &&
      components.includes("main") &&
      /^(https?|file|mirror|mirror\+\w+|tor\+https?):/.test(uri),
  );
  const own = ({ uri }: AptArchive) => uri.replace(/\/+$/, "").endsWith(`/${id}`);
  return [...fitting.filter(own), ...fitting.filter((archive) => !own(archive))];
}

/** A deb822 stanza that offers `suite` of the archive, for one architecture. */
export function stanza(archive: AptArchive, suite: string, components: readonly string[], architecture: string): string {
  return [
    "Types: deb",
    `URIs: ${archive.uri}`,
    `Suites: ${suite}`,
    `Components: ${components.join(" ")}`,
    `Architectures: ${architecture}`,
    ...(archive.signedBy === null ? [] : [`Signed-By: ${archive.signedBy}`]),
    ...(archive.trusted ? ["Trusted: yes"] : []),
    "",
  ].join("\n");
}

// deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://... bookworm main contrib
function readLines(text: string): readonly AptArchive[] {
  return text.split("\n").flatMap((line) => {
    const [, options = "", rest = ""] = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(.*)$/.exec(line.replace(/#.*$/, "")) ?? [];
    const [uri, suite, ...components] = rest.trim().split(/\s+/);
    if (uri === undefined || uri === "" || suite === undefined) return [];
    const option = new Map(
      options.split(/\s+/).map((word) => [word.split("=")[0]?.toLowerCase(), word.split("=").slice(1).join("=")]),
    );
    return [{ uri, suites: [suite], components, signedBy: option.get("signed-by") ?? null, trusted: isYes(option.get("trusted")) }];
  });
}

function readStanzas(text: string): readonly AptArchive[] {
  return text.split(/\n[ \t]*\n/).flatMap((block) => {
    const fields = readFields(block);
    const words = (name: string) => (fields.get(name) ?? "").split(/\s+/).filter(Boolean);
    if (!words("types").includes("deb") || /^(no|false|0|off|without|disable)$/i.test(fields.get("enabled")?.trim() ?? ""))
      return [];
    return words("uris").map((uri) => ({
      uri,
      suites: words("suites"),
      components: words("components"),
      signedBy: fields.get("signed-by") ?? null,
      trusted: isYes(fields.get("trusted")?.trim()),
    }));
  });
}

/** Field names in small letters; a value keeps its continuation lines as they are, which a key inside needs. */
function readFields(block: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("#")) continue;
    const [, name, value = ""] = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      last = name.toLowerCase();
      fields.set(last, value);
    } else if (/^[ \t]/.test(line) && last !== "") fields.set(last, `${fields.get(last)}\n${line}`);
  }
  return fields;
}

function isYes(value: string | undefined): boolean {
  return /^(yes|true|1|on|with|enable)$/i.test(value ?? "");
}

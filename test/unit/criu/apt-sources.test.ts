import { expect, test } from "vitest";
import { distributionMirrors, readAptSources, stanza } from "../../../src/criu/apt-sources.ts";

const key = [" -----BEGIN PGP PUBLIC KEY BLOCK-----", " .", " mDMEabc", " -----END PGP PUBLIC KEY BLOCK-----"].join("\n");

test("one-line lists are read with their options", () => {
  const text = [
    "# deb http://commented.example/debian bookworm main",
    "deb [arch=amd64 signed-by=/k.gpg trusted=yes] http://m.example/debian bookworm main contrib # a word",
    "deb-src http://m.example/debian bookworm main",
    "deb http://n.example/debian bookworm main",
  ].join("\n");
  expect(readAptSources([{ name: "sources.list", text }])).toEqual([
    { uri: "http://m.example/debian", suites: ["bookworm"], components: ["main", "contrib"], signedBy: "/k.gpg", trusted: true },
    { uri: "http://n.example/debian", suites: ["bookworm"], components: ["main"], signedBy: null, trusted: false },
  ]);
});

test("deb822 stanzas are read, one archive for each address, and keys inside kept line by line", () => {
  const text = [
    "Types: deb deb-src\n# a comment\nURIs: http://a.example/debian\n  http://b.example/debian\nSuites: bookworm bookworm-updates",
    `Components: main\nSigned-By:\n${key}\n\nTypes: deb\nEnabled: no\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n`,
  ].join("\n");
  const found = readAptSources([{ name: "debian.sources", text }]);
  expect(found.map(({ uri }) => uri)).toEqual(["http://a.example/debian", "http://b.example/debian"]);
  expect(found[0]?.suites).toEqual(["bookworm", "bookworm-updates"]);
  expect(found[0]?.signedBy).toBe(`\n${key}`);
});

test("what is written for apt is read back the same", () => {
  const archive = { uri: "http://a.example/debian", suites: ["sid"], components: ["main"], signedBy: `\n${key}`, trusted: true };
  expect(readAptSources([{ name: "x.sources", text: stanza(archive, "sid", ["main"], "amd64") }])).toEqual([archive]);
});

test("the distribution's mirrors are those with its release and main; its own path first, never security or others' suites", () => {
  const archive = (uri: string, suite: string, component = "main") => ({
    uri,
    suites: [suite],
    components: [component],
    signedBy: null,
    trusted: false,
  });
  const found = distributionMirrors(
    [
      archive("http://php.example/php", "bookworm"),
      archive("http://m.example/debian-security", "bookworm-security"),
      archive("http://docker.example/linux/debian", "bookworm", "stable"),
      archive("http://node.example/node_20.x", "nodistro"),
      archive("cdrom:[Debian]/debian", "bookworm"),
      archive("http://m.example/debian/", "bookworm"),
    ],
    "debian",
    "bookworm",
  );
  expect(found.map(({ uri }) => uri)).toEqual(["http://m.example/debian/", "http://php.example/php"]);
});

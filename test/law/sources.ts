import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export const root = path.resolve(import.meta.dirname, "../..");

export type Source = { readonly file: string; readonly lines: readonly string[] };

/** Files below these folders whose names end so; missing folders have none. */
export function sourcesIn(folders: readonly string[], endings: readonly string[]): readonly Source[] {
  return folders
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
    )
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .map((file) => ({ file, lines: readFileSync(path.join(root, file), "utf8").trimEnd().split("\n") }));
}

/** Lines that are not wholly a comment, with their numbers. */
export function codeLines({ file, lines }: Source): readonly { readonly at: string; readonly text: string }[] {
  return lines.map((text, index) => ({ at: `${file}:${index + 1}`, text })).filter(({ text }) => !/^\s*(\/\/|\/?\*)/.test(text));
}

import { z } from "zod";
import { schema } from "./schema.ts";

/** One setting, as each source names it. */
export type Key = {
  /** As in the file, sections before a dot: `vault.min-free`. Flags use it too. */
  readonly name: string;
  readonly path: readonly string[];
  /** `HOLDFAST_` and the name in capitals with `_` for `.` and `-`; of `vault.path` just `HOLDFAST_VAULT`. */
  readonly variable: string;
  /** What its value must be, in words. */
  readonly expected: string;
  readonly schema: z.ZodType;
  /** Text (of a variable or a flag) as the value the file would give. */
  fromText(text: string): unknown;
};

/** All settings there are, in the schema's order. */
export const keys: readonly Key[] = keysOf(schema, []);

/** Names of the sections: `vault`, `criu` ... */
export const sections: readonly string[] = [...new Set(keys.filter((key) => key.path.length > 1).map((key) => key.path[0] ?? ""))];

function keysOf(object: z.ZodObject, above: readonly string[]): readonly Key[] {
  return Object.entries(object.shape).flatMap(([word, value]) => {
    const path = [...above, word];
    const inner = value instanceof z.ZodDefault || value instanceof z.ZodPrefault ? value.def.innerType : value;
    if (inner instanceof z.ZodObject) return keysOf(inner, path);
    const name = path.join(".");
    const variable = `HOLDFAST_${name.replaceAll(/[.-]/g, "_").toUpperCase()}`;
    return [
      {
        name,
        path,
        variable: name === "vault.path" ? "HOLDFAST_VAULT" : variable,
        expected: (inner as z.ZodType).description ?? "another value",
        schema: value as z.ZodType,
        fromText: reader(inner),
      },
    ];
  });
}

function reader(type: unknown): (text: string) => unknown {
  const takesNumbers = type instanceof z.ZodUnion && type.options.some((option) => option instanceof z.ZodNumber);
  if (takesNumbers || type instanceof z.ZodNumber) return (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text);
  if (type instanceof z.ZodArray) return (text) => (text === "" ? [] : text.split(":"));
  return (text) => text;
}

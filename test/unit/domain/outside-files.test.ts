import { expect, test } from "vitest";
import type { Capture, CapturedFile, NeededFile } from "../../../src/domain/captured.ts";
import { outsideFiles } from "../../../src/domain/outside-files.ts";

function file(path: string, how: CapturedFile["how"]): CapturedFile {
  return { path, how, why: "", size: 1, mode: 0, uid: 0, gid: 0, mtimeNs: "0", tailSha256: "", stored: null };
}

function needed(path: string, sha256: string): NeededFile {
  return { path, size: 1, mtimeNs: "0", inode: "1:1", ctimeNs: "0", sha256 };
}

test("what points need besides the vault is counted once by path, and undigested if one of them has no digest of it", () => {
  const first: Capture = {
    files: [file("/w/log", "length"), file("/w/state", "copy"), file("/w/huge", "left-out")],
    folders: [],
    needed: [needed("/bin/lmp", "ab"), needed("/w/input", "cd")],
  };
  const second: Capture = {
    files: [file("/w/log", "length")],
    folders: [],
    needed: [needed("/bin/lmp", "ab"), needed("/w/input", "")],
  };
  expect(outsideFiles([first, second])).toEqual({ needed: 2, undigested: 1, byLength: 1, leftOut: 1 });
  expect(outsideFiles([])).toEqual({ needed: 0, undigested: 0, byLength: 0, leftOut: 0 });
});

/** Files that cannot be read, in words instead of the system's. */

import { Fault, problem } from "./fault.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file: a part of its path is no folder",
  EACCES: "it may not be read",
  EPERM: "it may not be read",
  EISDIR: "it is a folder; name a file",
  ERR_ENCODING_INVALID_ENCODED_DATA: "it is not valid UTF-8; save it as UTF-8",
};

/** Why a file could not be read, from what reading or decoding it threw. */
export function whyUnreadable(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return REASONS[code] ?? message;
}

/** The fault `file_unusable` for what reading the file threw; `field` says what named the file. */
export function unreadable(field: string, file: string, error: unknown): Fault {
  return new Fault(problem("file_unusable", field, { value: file, reason: whyUnreadable(error) }));
}

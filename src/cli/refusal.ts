/** How a command ends: its exit code, and the one line that is said when it could not do its work. */

/** Exit codes (contract, section 8), and the shell's own for Ctrl-C. */
export const EXIT = { done: 0, refused: 1, wrongWords: 2, notSignedIn: 3, interrupted: 130 } as const;

type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A command that cannot go on. The message is one sentence that names the mend. */
export class Refusal extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Refusal";
    this.exitCode = exitCode;
  }
}

export function wrongWords(message: string): Refusal {
  return new Refusal(EXIT.wrongWords, message);
}

export function refused(message: string, options?: ErrorOptions): Refusal {
  return new Refusal(EXIT.refused, message, options);
}

export function notSignedIn(message: string): Refusal {
  return new Refusal(EXIT.notSignedIn, message);
}

const secrets = new Set<string>();
/** What looks like a key, even where it was typed in the wrong place. */
const KEY_LIKE = /\b(fw|fpk)_[A-Za-z0-9_-]{6,}/g;

/** Names a text that must never be shown. */
export function keepSecret(text: string): void {
  if (text.length >= 4) secrets.add(text);
}

/** The text without any key, as one line. */
export function sayable(text: string): string {
  let safe = text.replace(KEY_LIKE, "$1_…");
  for (const secret of secrets) safe = safe.replaceAll(secret, "…");
  return safe
    .split(/\s*[\r\n]+\s*/)
    .filter((line) => line !== "")
    .join(" ");
}

/** Any value as a text of bounded length, quoted. */
export function quoted(value: string): string {
  const text = JSON.stringify(value);
  return text.length <= 82 ? text : `${text.slice(0, 80).toWellFormed()}…"`;
}

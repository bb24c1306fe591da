/** Page tokens: where a page begins, as a text that the client sends back. */

/** After the item with these values, in the answer to this question. */
export interface PageStart {
  /** What tells the question from others, as the report writes it. */
  readonly question: string;
  readonly values: readonly string[];
}

/** The text of a page token. Items may come and go before and after it: it names a place, not a count. */
export function writePageToken({ question, values }: PageStart): string {
  return Buffer.from(JSON.stringify([question, ...values])).toString("base64url");
}

/** Undefined for a text that is no token of ours. */
export function readPageToken(token: string): PageStart | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (!Array.isArray(parts) || !parts.every((part) => typeof part === "string")) return undefined;
    const [question = "", ...values] = parts;
    // Decoding skips what is no base64url, so only the text that comes back the same is a token of ours.
    return writePageToken({ question, values }) === token ? { question, values } : undefined;
  } catch {
    return undefined;
  }
}

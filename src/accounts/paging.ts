/** Pages of a list in the order of a text key. A page token is that key of the last item, in base64url. */

import { Fault, problem } from "../domain/fault.ts";

export interface PageAsk {
  readonly pageSize: number;
  readonly pageToken?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Left out on the last page. */
  readonly nextPageToken?: string;
  readonly totalSize: number;
}

interface PageSource<T> {
  /** The first `limit` items whose key sorts after `after`. */
  readonly read: (after: string, limit: number) => Promise<readonly T[]>;
  readonly count: () => Promise<number>;
  readonly keyOf: (item: T) => string;
}

const KEY = /^[A-Za-z0-9_-]{1,64}$/;

function keyOfToken(token: string): string {
  const key = Buffer.from(token, "base64url").toString("latin1");
  // Decoding skips what is no base64url, so only the text that comes back the same is a token of ours.
  if (!KEY.test(key) || Buffer.from(key, "latin1").toString("base64url") !== token) {
    throw new Fault(problem("bad_page_token", "pageToken", { value: token }));
  }
  return key;
}

/**
 * Reads one page. The next one starts after its last item, so an item that is added or removed meanwhile shifts nothing.
 * @throws Fault `bad_page_token`.
 */
export async function readPage<T>(ask: PageAsk, source: PageSource<T>): Promise<Page<T>> {
  const after = ask.pageToken ? keyOfToken(ask.pageToken) : "";
  const rows = await source.read(after, ask.pageSize + 1);
  const totalSize = await source.count();
  const items = rows.slice(0, ask.pageSize);
  const last = items.at(-1);
  if (rows.length <= ask.pageSize || last === undefined) return { items, totalSize };
  return { items, totalSize, nextPageToken: Buffer.from(source.keyOf(last), "latin1").toString("base64url") };
}

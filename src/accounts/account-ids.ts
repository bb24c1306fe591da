/** A walk over all accounts. */

import type { Accounts } from "./store.ts";

const ACCOUNTS_PER_PAGE = 200;

/** The id of every account, in order, read page by page. */
export async function* accountIds(accounts: Pick<Accounts, "listAccounts">): AsyncGenerator<string> {
  let pageToken: string | undefined;
  do {
    const page = await accounts.listAccounts(undefined, { pageSize: ACCOUNTS_PER_PAGE, pageToken });
    for (const { id } of page.items) yield id;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

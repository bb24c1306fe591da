/** The first account and its key, made where there is none. */

import { type Problem, problem, refuseIfAny } from "../domain/fault.ts";
import { isBareId } from "../domain/text.ts";
import { insertAccount, insertUser } from "./accounts.ts";
import { isGivenKey } from "./key-text.ts";
import { insertKey } from "./keys.ts";
import type { Store } from "./tables.ts";
import { INSTALLATION, writing } from "./writing.ts";

/** What the first start is told, if anything. */
export interface BootstrapAsk {
  /** Default "default". */
  readonly accountId?: string | undefined;
  /** Default a random key. */
  readonly key?: string | undefined;
}

/** The account and the one key that the first start made. */
export interface BootstrapResult {
  readonly account: string;
  readonly user: string;
  readonly keyId: string;
  /** The key itself, shown this once. */
  readonly key: string;
}

const FIRST_ACCOUNT = "default";
const FIRST_USER = "owner";

/** Of several processes that start at once, one makes the account; the others find it. */
export async function bootstrap(store: Store, ask: BootstrapAsk): Promise<BootstrapResult | undefined> {
  refuseIfAny(bootstrapProblems(ask));
  return writing(store, [INSTALLATION], async (inside) => {
    const any = await inside.database.selectFrom("accounts").select("id").limit(1).executeTakeFirst();
    if (any) return undefined;
    const account = ask.accountId ?? FIRST_ACCOUNT;
    await insertAccount(inside, { id: account });
    await insertUser(inside, account, { id: FIRST_USER, role: "OPERATOR" });
    const owner = { account, user: FIRST_USER };
    const { apiKey, key } = await insertKey(inside, owner, { role: "OPERATOR" }, ask.key);
    return { ...owner, keyId: apiKey.keyId, key };
  });
}

function bootstrapProblems(ask: BootstrapAsk): Problem[] {
  const problems: Problem[] = [];
  if (ask.accountId !== undefined && !isBareId(ask.accountId)) {
    problems.push(problem("bad_id", "DAYBOOK_BOOTSTRAP_ACCOUNT", { value: ask.accountId }));
  }
  if (ask.key !== undefined && !isGivenKey(ask.key)) {
    const allowed = "12 to 200 visible ASCII characters without spaces, such as fw_ and 32 random letters";
    // The key is a secret and would end in a log, so the sentence shows its length only.
    problems.push(problem("wrong_type", "DAYBOOK_BOOTSTRAP_KEY", { value: `${ask.key.length} characters`, allowed }));
  }
  return problems;
}

/** A process that starts on shared accounts: prints the key that it made, if it made one, and the book it put. */

import { randomBytes } from "node:crypto";
import { Accounts } from "../../src/accounts/store.ts";

const url = process.argv[2]!;
const document = "currency: USD";
const accounts = await Accounts.open({ place: { url }, now: Date.now, randomBytes });
const made = await accounts.bootstrap();
const { version } = await accounts.putPriceBook({ account: "", document, entryCount: 1, createdBy: "starter" });
await accounts.close();
process.stdout.write(JSON.stringify({ key: made?.key, version }));

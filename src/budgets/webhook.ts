/** Sends one signed notice to an address that an account's administrator chose, and to nowhere inside. */

import { createHmac } from "node:crypto";
import { type LookupAddress, lookup } from "node:dns";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";

export interface WebhookCall {
  readonly url: string;
  readonly secret: string;
  /** Sent as `daybook-event-id`, the same at every try. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** Seconds since the epoch. */
  readonly time: number;
  /** Whether addresses of this machine and of private networks may be called. */
  readonly allowsPrivate: boolean;
}

const ANSWER_MS_MAX = 10_000;

/** Addresses that lead to no receiver on the public internet (RFC 6890 and its like). */
const INSIDE = new BlockList();
for (const [address, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  INSIDE.addSubnet(address, prefix, "ipv4");
}
/** Of IPv6 only the global unicast addresses, without those that carry an IPv4 address inside. */
const GLOBAL_6 = new BlockList();
GLOBAL_6.addSubnet("2000::", 3, "ipv6");
for (const [address, prefix] of [
  ["2001::", 32],
  ["2002::", 16],
] as const) {
  INSIDE.addSubnet(address, prefix, "ipv6");
}

/** Whether an address is one that only an operator may let be called. */
export function isInside(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return INSIDE.check(address, "ipv4");
  return family === 0 || !GLOBAL_6.check(address, "ipv6") || INSIDE.check(address, "ipv6");
}

/** `t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>` by the webhook's secret. */
function signatureOf({ secret, body, time }: Pick<WebhookCall, "secret" | "body" | "time">): string {
  return `t=${time},v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`;
}

/** The status of the answer; redirects are not followed. @throws for an address inside, and for no answer in time. */
export function callWebhook(call: WebhookCall): Promise<number> {
  const url = new URL(call.url);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!call.allowsPrivate && isIP(host) !== 0 && isInside(host)) return Promise.reject(insideError(host));
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: "POST",
      agent: false,
      lookup: call.allowsPrivate ? undefined : lookupOutside,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(call.body),
        "user-agent": "daybook",
        "daybook-event-id": call.id,
        "daybook-signature": signatureOf(call),
      },
    });
    sent.on("error", reject);
    sent.on("response", (answer) => {
      // What it says is nobody's business here; it may be long.
      answer.on("error", () => {}).destroy();
      resolve(answer.statusCode ?? 0);
    });
    sent.end(call.body);
  });
}

/** Looks a name up at the moment of the connection, so that it cannot lead elsewhere afterwards. */
const lookupOutside: LookupFunction = (name, options, done) => {
  lookup(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return done(error, "", 4);
    const inside = addresses.find(({ address }) => isInside(address));
    if (inside) return done(insideError(inside.address), "", 4);
    if (options.all) return done(null, addresses);
    const [first] = addresses;
    return done(null, first!.address, first!.family);
  });
};

function insideError(address: string): Error {
  return new Error(`${address} is an address of this machine or of a private network; the operator may allow those`);
}

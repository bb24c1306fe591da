/** What Daybook adds to Fastify's requests and routes. */

import type { Caller, Role } from "../accounts/records.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls; set before any handler of a route that is not public. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** Who may call: everyone without a key, or the roles named; any valid key when left out. */
    access?: "public" | readonly Role[];
  }
}

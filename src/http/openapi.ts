/** OpenAPI 3.1, made from the routes' own schemas. */

import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";

/** Registers the generator; must come before the routes. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Daybook",
        description: "Who used what, and what did it cost. Speaks the public Fireworks billing API.",
        version: "1",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      security: [{ key: [] }],
    },
    convertConstToEnum: false,
  });
}

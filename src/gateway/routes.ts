/** The gateway's paths in the server: `/inference/v1/*` for every client, `/v1/messages` for Anthropic's. */

import type { FastifyInstance, FastifyRequest } from "fastify";
import { errorAnswer } from "./error-answer.ts";
import type { Gateway } from "./gateway.ts";

const BASES = ["/inference/v1/", "/v1/"];
const PATHS = ["/inference/v1/*", "/v1/messages", "/v1/messages/*"];

/** Adds the paths to a scope of its own: bodies are streams there, and refusals have the clients' own form. */
export function gatewayRoutes(scope: FastifyInstance, gateway: Gateway): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _stream, done) => done(null));
  scope.setErrorHandler((error, request, reply) => {
    const { path } = pathOf(request);
    const style = path.split("/")[0] === "messages" ? "anthropic" : "openai";
    const { status, headers, body } = errorAnswer(error, style, request.id);
    if (status >= 500) request.log.error({ err: error }, (error as Error).message);
    else request.log.info({ refused: (error as Error).message }, "refused");
    return reply.code(status).headers(headers).send(body);
  });
  for (const url of PATHS) {
    // Keys are checked by the gateway, which takes them from where Anthropic's clients put them, too.
    scope.all(url, { config: { access: "public" }, schema: { hide: true } }, async (request, reply) => {
      await gateway.handle({
        id: request.id,
        request: request.raw,
        client: reply.raw,
        ...pathOf(request),
        log: request.log,
        take: () => void reply.hijack(),
      });
      return reply;
    });
  }
}

/** The path behind `/v1/`, as it was sent. */
function pathOf({ url }: FastifyRequest): { path: string; query: string } {
  const at = url.indexOf("?");
  const [whole, query] = at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at)];
  const base = BASES.find((one) => whole.startsWith(one)) ?? "";
  return { path: whole.slice(base.length), query };
}

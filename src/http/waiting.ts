/** What answers while a server waits for its engines: it lives, it is not ready, and every call may be sent again. */

import Fastify, { type FastifyInstance } from "fastify";
import { unavailable } from "../domain/fault.ts";
import { answerUnreadable, sendError } from "./errors.ts";

export interface WaitingOptions {
  readonly log: { write(line: string): void };
  /** Why calls are refused; it is told to whoever calls, so it names no address. */
  readonly reason: () => string;
}

/** Builds it; the caller listens, and closes it before the server itself listens. */
export function buildWaitingServer({ log, reason }: WaitingOptions): FastifyInstance {
  const app = Fastify({
    logger: { level: "info", stream: log },
    // Calls that are refused meanwhile say nothing that the line about the wait does not.
    childLoggerFactory: (logger, bindings, options) => logger.child(bindings, { ...options, level: "silent" }),
    forceCloseConnections: true,
    clientErrorHandler: answerUnreadable,
  });
  app.removeAllContentTypeParsers();
  // The body is not read, so that nothing is begun.
  app.addContentTypeParser("*", (_request, _body, done) => done(null));
  app.get("/healthz", async () => ({ status: "ok" }));
  app.setNotFoundHandler(() => {
    throw unavailable(reason());
  });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply.header("connection", "close")));
  return app;
}

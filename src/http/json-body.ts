/** Reading a JSON body: any name in it is plain text, `__proto__` too, and a mistake is told with its place. */

import type { FastifyInstance } from "fastify";
import { Fault, problem } from "../domain/fault.ts";
import { refuseBloated } from "../domain/json-text.ts";

const REASON_CHARACTERS_MAX = 120;

/** Lets a scope take JSON bodies and no others. An empty body is an empty object: what it lacks is then named. */
export function takeJson(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("application/json", { parseAs: "string" }, (_, text, done) => {
    try {
      refuseBloated(text as string);
      done(null, text === "" ? {} : JSON.parse(text as string));
    } catch (error) {
      if (error instanceof Fault) return done(error);
      const reason = (error as Error).message.slice(0, REASON_CHARACTERS_MAX);
      done(new Fault(problem("bad_json", "body", { reason })));
    }
  });
}

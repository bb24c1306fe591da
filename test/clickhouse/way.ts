/** A way to the engine on which things go wrong: what is sent may not arrive, arrive late, or arrive and not be answered. */

import { once } from "node:events";
import { type Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/**
 * What becomes of a statement. `cut`: it never arrives. `lose`: the engine does it, and the answer is lost. `late`: its
 * sender hears nothing more of it, and it arrives when it is delivered.
 */
export type Trouble = "cut" | "lose" | "late";

interface Statement {
  readonly target: URL;
  readonly incoming: IncomingMessage;
  readonly body: Buffer;
}

export class Way {
  readonly url: string;
  readonly #engine: string;
  readonly #server: ReturnType<typeof createServer>;
  /** Of the next inserts, one after the other. */
  #troubles: { readonly trouble: Trouble; readonly losing: number }[] = [];
  #losing = 0;
  #lost = 0;
  #late: Statement[] = [];
  /** Statements that still pass; undefined when all do. */
  #left: number | undefined;
  #lastIs: Trouble = "lose";
  readonly #ended = Promise.withResolvers<void>();
  readonly #underWay = new Set<Promise<unknown>>();

  private constructor(engine: string, server: ReturnType<typeof createServer>) {
    this.#engine = engine;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(engine: string): Promise<Way> {
    const server = createServer((incoming, outgoing) => void way.#pass(incoming, outgoing));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const way = new Way(engine, server);
    return way;
  }

  /** How many answers were lost. */
  get lost(): number {
    return this.#lost;
  }

  /** Resolves when {@link endAfter} has come to its end. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** What happens to the next insert that has no trouble yet, and how many answers of any kind are lost after it. */
  troubleNext(trouble: Trouble, losing = 0): void {
    this.#troubles.push({ trouble, losing });
  }

  /** So many more statements, then nothing passes; `lastIs` is what becomes of the last one. */
  endAfter(statements: number, lastIs: Trouble): void {
    this.#left = statements;
    this.#lastIs = lastIs;
  }

  /** No more trouble from here on; what is late stays so until it is delivered. */
  calm(): void {
    this.#troubles = [];
    this.#losing = 0;
  }

  /** What was late arrives now, one after the other. */
  async deliver(): Promise<void> {
    for (const statement of this.#late.splice(0)) await this.#ask(statement).catch(() => undefined);
  }

  /** Resolves when the engine has answered all that arrived. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** Nothing passes any more: as when the process at its end is killed. What arrived is done all the same. */
  end(): void {
    this.#left = 0;
    this.#server.close();
    this.#server.closeAllConnections();
    this.#ended.resolve();
  }

  async close(): Promise<void> {
    this.end();
    await this.settled();
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming).catch(() => undefined);
    if (body === undefined || this.#left === 0) {
      outgoing.destroy();
      return;
    }
    const statement = { target: new URL(incoming.url ?? "/", this.#engine), incoming, body };
    const trouble = this.#troubleOf(statement);
    if (trouble === "late") this.#late.push(statement);
    if (trouble === "late" || trouble === "cut") outgoing.destroy();
    else await this.#answer(statement, outgoing, trouble === "lose");
    if (this.#left === 0) this.end();
  }

  #troubleOf({ target }: Statement): Trouble | undefined {
    if (this.#left !== undefined) {
      this.#left -= 1;
      if (this.#left === 0) return this.#lastIs;
    }
    if (this.#losing > 0) {
      this.#losing -= 1;
      return "lose";
    }
    const next = target.searchParams.get("query")?.startsWith("INSERT INTO ") ? this.#troubles.shift() : undefined;
    this.#losing = next?.losing ?? 0;
    return next?.trouble;
  }

  async #answer(statement: Statement, outgoing: ServerResponse, lose: boolean): Promise<void> {
    try {
      const { status, headers, body } = await this.#ask(statement);
      if (lose) {
        this.#lost += 1;
        outgoing.destroy();
      } else {
        outgoing.writeHead(status, headers).end(body);
      }
    } catch {
      outgoing.destroy();
    }
  }

  #ask({ target, incoming, body }: Statement) {
    const { method, headers } = incoming;
    const asked = (async () => {
      // A connection of its own: one that is kept would fail once more for an engine that was killed.
      const forward = request(target, { method, headers: { ...headers, connection: "close" }, agent: NO_AGENT });
      forward.end(body);
      const [answer] = (await once(forward, "response")) as [IncomingMessage];
      const kept = { ...answer.headers };
      delete kept["transfer-encoding"];
      delete kept.connection;
      return { status: answer.statusCode ?? 500, headers: kept, body: await buffer(answer) };
    })();
    this.#underWay.add(asked);
    const forget = (): unknown => this.#underWay.delete(asked);
    asked.then(forget, forget);
    return asked;
  }
}

const NO_AGENT = false as unknown as Agent;

/** A whole installation beside its oracle: usage in JSON, keys, deployments, price books, reports, restarts, power cuts. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifyFolder } from "../../../src/folder-tools.ts";
import { Service } from "../../../src/service.ts";
import { assertEqual } from "../lines.ts";
import { readFiles, writeRemains } from "../power-cut.ts";
import type { Random } from "../random.ts";
import type { World, WorldKind, WorldOptions } from "../world.ts";
import { type Draft, draftOf, drawDraft } from "./draw.ts";
import { type KeptEvent, Oracle } from "./oracle.ts";
import { type Book, drawBook, textOf } from "./price-list.ts";
import { type Asked, askCosts, askEvent, askInvoices, askSummary, askUsage } from "./questions.ts";
import { changeDeployment, makeKey, revokeKey, USERS } from "./records.ts";

const SLOT = 900_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
const ACCOUNTS = ["acme", "umbra"];
const FIRST_START = Date.UTC(2025, 0, 1);

export const SERVICE_WORLD: WorldKind = {
  name: "service",
  stepsMax: 400,
  open: (options) => ServiceWorld.open(options),
};

class ServiceWorld implements World {
  readonly #options: WorldOptions;
  readonly #oracle = new Oracle();
  #service!: Service;
  #folder: string;
  #lives = 0;
  #made = 0;
  #now: number;

  private constructor(options: WorldOptions) {
    this.#options = options;
    this.#folder = join(options.folder, "life-0");
    this.#now = FIRST_START + options.random.int(0, 600) * DAY + options.random.int(0, DAY);
  }

  static async open(options: WorldOptions): Promise<ServiceWorld> {
    const world = new ServiceWorld(options);
    mkdirSync(world.#folder);
    await world.#start(options.random);
    await world.#service.accounts.bootstrap({ accountId: "acme" });
    await world.#service.accounts.createAccount({ id: "umbra" });
    for (const account of ACCOUNTS) {
      for (const id of USERS) await world.#service.accounts.createUser(account, { id });
    }
    return world;
  }

  /** Opens the folder; a first time, and sometimes later, with a list book of its own. */
  async #start(random: Random, withBook = true): Promise<void> {
    const pricesFile = join(this.#options.folder, "prices.yaml");
    if (withBook) {
      const book = drawBook(random, this.#now, "list");
      writeFileSync(pricesFile, textOf(book));
      this.#known("", book);
    }
    const given = withBook ? { pricesFile } : {};
    this.#service = await Service.open({ dataFolder: this.#folder, now: () => this.#now, ...given });
    assertEqual("the book at the start is refused", this.#service.bookAtStart.refused, undefined);
  }

  #known(scope: string, book: Book): void {
    const newest = this.#oracle.books.findLast((version) => version.scope === scope);
    const text = textOf(book);
    if (newest?.text === text) return;
    const knownFrom = Math.max(this.#now, (newest?.knownFrom ?? Number.NEGATIVE_INFINITY) + 1);
    this.#oracle.books.push({ scope, knownFrom, text, book });
  }

  async step(random: Random): Promise<void> {
    const asked = this.#asked(random);
    const question = (ask: (random: Random, asked: Asked) => Promise<void>) => async () => {
      this.#options.counts.questions += 1;
      await ask(random, asked);
    };
    const doing = random.weighted<() => Promise<void>>([
      [30, () => this.#write(random)],
      [5, () => this.#void(random)],
      [16, question(askUsage)],
      [5, question(askSummary)],
      [5, question(askCosts)],
      [3, question(askInvoices)],
      [5, question(async () => askEvent(this.#id(random, asked.account), asked))],
      [4, () => makeKey(random, asked)],
      [1, () => revokeKey(random, asked)],
      [8, () => changeDeployment(random, asked)],
      [3, () => this.#putKnown(random)],
      [8, () => this.#moveClock(random)],
      [0.5, () => this.#restart(random)],
      [1, () => this.#cutPower(random)],
    ]);
    await doing();
  }

  async finish(): Promise<void> {
    await this.#audit();
    await this.#service.close();
    assertEqual("verify", (await verifyFolder(this.#folder)).differences, []);
    this.#service = await Service.open({ dataFolder: this.#folder, now: () => this.#now });
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  #asked(random: Random): Asked {
    const { note } = this.#options;
    const account = random.weighted([
      [3, ACCOUNTS[0]!],
      [1, ACCOUNTS[1]!],
    ]);
    return { service: this.#service, oracle: this.#oracle, account, now: this.#now, note };
  }

  #id(random: Random, account: string): string {
    const known = this.#oracle.events(account);
    return known.length > 0 && random.chance(0.9) ? random.pick(known).id : "unheard";
  }

  #drawDraft(random: Random, account: string): Draft {
    this.#made += 1;
    const own = (one: { readonly account: string }): boolean => one.account === account;
    const around = {
      account,
      now: this.#now,
      keyIds: this.#oracle.keys.filter(own).map(({ keyId }) => keyId),
      deployments: this.#oracle.deployments.filter(own).map(({ id }) => id),
      priceEdges: this.#oracle.priceEdges(),
      made: this.#made,
    };
    const known = this.#oracle.events(account);
    if (known.length === 0 || random.chance(0.75)) return drawDraft(random, around);
    const event: KeptEvent = random.pick(known);
    if (random.chance(0.6)) return draftOf(random, event, around);
    const changed = random.pick([
      { ...event, time: event.time + 1 },
      { ...event, labels: { ...event.labels, project: "another" } },
    ]);
    return draftOf(random, changed, around);
  }

  #send(account: string, drafts: readonly Draft[], asLines: boolean) {
    const records = drafts.map(({ wire }) => wire);
    const text = asLines ? records.map((one) => JSON.stringify(one)).join("\n") : JSON.stringify({ events: records });
    const contentType = asLines ? "application/x-ndjson" : "application/json";
    return this.#service.writeUsage(account, { bytes: Buffer.from(text), contentType, contentEncoding: "" });
  }

  async #write(random: Random): Promise<void> {
    const { account } = this.#asked(random);
    const drafts = random.times(1, random.pick([1, 5, 25]), () => this.#drawDraft(random, account));
    this.#options.note(`write ${account} ${drafts.map(({ wire }) => JSON.stringify(wire)).join(" ")}`);
    this.#options.counts.events += drafts.length;
    const outcome = await this.#send(account, drafts, random.chance(0.5));
    const { rejected, ...others } = outcome;
    const { refused, ...want } = this.#learn(account, drafts);
    assertEqual(`write ${account}`, others, want);
    assertEqual(
      "refusals",
      rejected.map(({ index, field }) => ({ index, field })),
      refused,
    );
  }

  /** Takes the drafts into the oracle, and gives the outcome they must have. */
  #learn(account: string, drafts: readonly Draft[]) {
    const conflicts: object[] = [];
    const refused: object[] = [];
    let [created, duplicates, droppedAnnotations] = [0, 0, 0];
    for (const [index, { sent, refused: field, dropped }] of drafts.entries()) {
      if (field) {
        refused.push({ index, field });
        continue;
      }
      droppedAnnotations += dropped;
      const outcome = this.#oracle.write(account, sent);
      if (outcome === "created") created += 1;
      else if (outcome === "duplicate") duplicates += 1;
      else conflicts.push({ index, id: sent.id, field: outcome.conflict });
    }
    return { created, duplicates, conflicts, droppedAnnotations, refused };
  }

  async #void(random: Random): Promise<void> {
    const { account } = this.#asked(random);
    const ids = random.times(1, 5, () => this.#id(random, account));
    this.#options.note(`void ${account} ${ids.join(",")}`);
    const outcomes = await this.#service.voidUsage(account, ids);
    assertEqual(
      `void ${account}`,
      outcomes,
      ids.map((id) => this.#oracle.void(account, id)),
    );
  }

  #drawBook(random: Random): { scope: string; book: Book } {
    const scope = random.pick(["", ...ACCOUNTS]);
    return { scope, book: drawBook(random, this.#now, scope === "" ? "list" : "contract") };
  }

  async #putBook({ scope, book }: { scope: string; book: Book }): Promise<void> {
    this.#options.note(`price book of ${scope || "everybody"} ${textOf(book)}`);
    await this.#service.putPriceBook({ account: scope, document: textOf(book), createdBy: "key_operator" });
  }

  async #putKnown(random: Random): Promise<void> {
    const drawn = this.#drawBook(random);
    await this.#putBook(drawn);
    this.#known(drawn.scope, drawn.book);
  }

  async #moveClock(random: Random): Promise<void> {
    const by = random.weighted([
      [4, random.int(1, HOUR)],
      [3, random.int(1, 40) * SLOT],
      [2, random.int(1, 6 * DAY)],
      [1, -random.int(1, DAY)],
    ]);
    this.#now += by;
    this.#options.note(`clock ${by} ms`);
  }

  async #restart(random: Random): Promise<void> {
    const withBook = random.chance(0.3);
    this.#options.note(`restart ${withBook ? "with another book" : ""}`);
    this.#options.counts.restarts += 1;
    await this.#service.close();
    await this.#start(random, withBook);
  }

  /** Calls whose answer nobody got are under way when the power goes; each is there wholly or not at all. */
  async #cutPower(random: Random): Promise<void> {
    const { account } = this.#asked(random);
    const calls = random.times(0, 3, () => random.times(1, 6, () => this.#drawDraft(random, account)));
    // Calls at once have no order, so none may know another's ids.
    const seen = new Set<string>();
    const apart = calls.map((drafts) => drafts.filter(({ sent: { id } }) => !seen.has(id) && seen.add(id)));
    this.#options.note(
      `power cut in ${apart.map((drafts) => drafts.map(({ sent }) => sent.id).join(",")).join(" and ")}`,
    );
    this.#options.counts.crashes += 1;
    const put = random.chance(0.3) ? this.#drawBook(random) : undefined;
    const before = readFiles(this.#folder);
    await Promise.all([...apart.map((drafts) => this.#send(account, drafts, true)), put && this.#putBook(put)]);
    const after = readFiles(this.#folder);
    await this.#service.close();
    this.#lives += 1;
    this.#folder = join(this.#options.folder, `life-${this.#lives}`);
    writeRemains(this.#folder, before, after, random);
    await this.#start(random, false);
    for (const drafts of apart) await this.#learnUnanswered(account, drafts);
    if (put) await this.#learnPut(put);
    await this.#audit();
  }

  async #learnUnanswered(account: string, drafts: readonly Draft[]): Promise<void> {
    const fresh = drafts.filter(({ sent, refused }) => !refused && !this.#oracle.find(account, sent.id));
    const found = await Promise.all(fresh.map(({ sent }) => this.#service.findUsage(account, sent.id)));
    const there = found.filter((event) => event !== undefined).length;
    if (there > 0 && there < fresh.length) throw new Error(`${there} of ${fresh.length} events of one call outlived`);
    if (there > 0) this.#learn(account, drafts);
  }

  /** A version that nobody was told of is there or not; what it says is seen in the reports to come. */
  async #learnPut({ scope, book }: { scope: string; book: Book }): Promise<void> {
    const versions = await this.#service.accounts.priceBookVersions(scope);
    const told = this.#oracle.books.filter((version) => version.scope === scope).length;
    if (versions.length > told) this.#known(scope, book);
    assertEqual("versions of a book", versions.length, this.#oracle.books.filter((one) => one.scope === scope).length);
  }

  /** Every event. */
  async #audit(): Promise<void> {
    for (const account of ACCOUNTS) {
      const asked = { service: this.#service, oracle: this.#oracle, account, now: this.#now, note: this.#options.note };
      for (const { id } of this.#oracle.events(account)) await askEvent(id, asked);
    }
  }
}

/** The whole truth about an installation, in plain lists: usage as it was sent, keys, deployments and price books. */

import type { Book, Tariff } from "./price-list.ts";

/** Values by field, as on the wire; what is left out is "". */
export type Labels = Readonly<Record<string, string>>;
/** By meter; what is left out is 0. Seconds are kept as milliseconds. */
export type Quantities = Readonly<Record<string, bigint>>;

export interface SentEvent {
  readonly id: string;
  readonly time: number;
  readonly labels: Labels;
  readonly quantities: Quantities;
}

export interface KeptEvent extends SentEvent {
  /** What it counts under: tags and facts of its key and deployment added. */
  readonly counted: Labels;
  voided: boolean;
}

export interface Key {
  readonly account: string;
  readonly user: string;
  readonly keyId: string;
  readonly name: string;
  readonly tags: Labels;
}

export interface Attributes {
  readonly baseModel: string;
  readonly acceleratorType: string;
  readonly acceleratorCount: number;
  readonly placement: string;
  readonly tags: Labels;
}

export interface Deployment {
  readonly account: string;
  readonly id: string;
  /** By time; a later scale of the same instant replaces the earlier one. */
  readonly replicas: Map<number, number>;
  /** In order of time. */
  readonly attributes: { time: number; attributes: Attributes }[];
  deleteTime: number | undefined;
}

export interface BookVersion {
  /** "" for the list. */
  readonly scope: string;
  readonly knownFrom: number;
  readonly text: string;
  readonly book: Book;
}

/** Usage at one instant: an event, or a piece of a deployment's time in which nothing changes. */
export interface Use {
  readonly at: number;
  readonly labels: Labels;
  readonly quantities: Quantities;
  readonly events: bigint;
}

const SLOT = 900_000;
const TAGS = ["team", "project", "environment"];
/** In the order in which a conflict tells the first that differs. */
const LABEL_FIELDS = [
  "usageType", "model", "apiKeyId", "user", "serviceTier", "batch", "deployment", "acceleratorType", "placement", "jobId",
  "jobType", "trainingSessionId", "baseModel", "team", "project", "environment",
]; // biome-ignore format: a list of names
export const METER_FIELDS: Readonly<Record<string, string>> = {
  promptTokens: "promptTokens",
  cachedPromptTokens: "cachedPromptTokens",
  completionTokens: "completionTokens",
  audioInputMs: "audioInputSeconds",
  imageCount: "imageCount",
  acceleratorMs: "acceleratorSeconds",
  tokens: "tokens",
};
export const METER_NAMES = Object.keys(METER_FIELDS);

function differing(kept: SentEvent, sent: SentEvent): string | undefined {
  if (kept.time !== sent.time) return "time";
  const label = LABEL_FIELDS.find((field) => (kept.labels[field] ?? "") !== (sent.labels[field] ?? ""));
  if (label) return TAGS.includes(label) ? `annotations.${label}` : label;
  const meter = METER_NAMES.find((name) => (kept.quantities[name] ?? 0n) !== (sent.quantities[name] ?? 0n));
  return meter && METER_FIELDS[meter];
}

export class Oracle {
  readonly keys: Key[] = [];
  readonly deployments: Deployment[] = [];
  readonly books: BookVersion[] = [];
  readonly #events = new Map<string, Map<string, KeptEvent>>();

  /** In the order of arrival. */
  events(account: string): readonly KeptEvent[] {
    return [...(this.#events.get(account)?.values() ?? [])];
  }

  find(account: string, id: string): KeptEvent | undefined {
    return this.#events.get(account)?.get(id);
  }

  /** Writes the event, and says what comes of it: a conflict by its field. */
  write(account: string, event: SentEvent): "created" | "duplicate" | { readonly conflict: string } {
    const events = this.#events.get(account) ?? new Map<string, KeptEvent>();
    this.#events.set(account, events);
    const known = events.get(event.id);
    if (!known) {
      events.set(event.id, { ...event, counted: this.#counted(account, event), voided: false });
      return "created";
    }
    const conflict = differing(known, event);
    return conflict ? { conflict } : "duplicate";
  }

  void(account: string, id: string): string {
    const known = this.find(account, id);
    if (!known) return "not_found";
    if (known.voided) return "already_voided";
    known.voided = true;
    return "voided";
  }

  /** A tag is the one that was sent, else the key's, else the deployment's. */
  #counted(account: string, { labels }: SentEvent): Labels {
    const own = (one: { account: string }): boolean => one.account === account;
    const key = this.keys.filter(own).find(({ keyId }) => keyId === labels.apiKeyId);
    const deployment = this.deployments.filter(own).find(({ id }) => id === labels.deployment);
    const facts = deployment?.attributes.at(-1)?.attributes;
    const counted: Record<string, string> = { ...labels };
    for (const tag of TAGS) counted[tag] = labels[tag] || key?.tags[tag] || facts?.tags[tag] || "";
    if (facts && labels.usageType === "DEDICATED_DEPLOYMENT_USAGE") {
      for (const field of ["acceleratorType", "placement", "baseModel"] as const) {
        counted[field] = labels[field] || facts[field];
      }
    }
    return counted;
  }

  /** The prices by the newest books, or by those that were known at an instant. */
  tariff(account: string, asOf = Number.POSITIVE_INFINITY): Tariff {
    return this.#tariffOf(account, ({ knownFrom }) => knownFrom <= asOf);
  }

  /** The prices of the invoice of a month that ended: the books known before its end, else the first list alone. */
  issued(account: string, monthEnd: number): Tariff {
    return this.#tariffOf(account, ({ knownFrom }) => knownFrom < monthEnd);
  }

  /** The numbers of the versions that {@link tariff} is made of. */
  versions(account: string, asOf = Number.POSITIVE_INFINITY): { list: number; contract: number | undefined } {
    const { list, contract } = this.#booksOf(account, ({ knownFrom }) => knownFrom <= asOf);
    const number = (version: BookVersion): number => this.books.indexOf(version) + 1;
    return { list: number(list), contract: contract && number(contract) };
  }

  #tariffOf(account: string, known: (version: BookVersion) => boolean): Tariff {
    const { list, contract } = this.#booksOf(account, known);
    return { list: list.book, contract: contract?.book };
  }

  #booksOf(account: string, known: (version: BookVersion) => boolean) {
    const lists = this.books.filter(({ scope }) => scope === "");
    const contracts = this.books.filter(({ scope }) => scope === account);
    return { list: lists.findLast(known) ?? lists[0]!, contract: contracts.findLast(known) };
  }

  /** The instants at which some price changes, by any book that was ever known. */
  priceEdges(): number[] {
    const lines = this.books.flatMap(({ book }) => [...book.entries, ...book.discounts]);
    return [...new Set(lines.flatMap(({ from, to }) => [from, to ?? from]))];
  }

  /** All that counts in a range, event by event and piece by piece. Deployments run up to `now`. */
  uses(account: string, { start, end }: { start: number; end: number }, now: number): Use[] {
    const uses: Use[] = [];
    for (const { time, counted, quantities, voided } of this.events(account)) {
      if (!voided && time >= start && time < end) uses.push({ at: time, labels: counted, quantities, events: 1n });
    }
    for (const deployment of this.deployments) {
      if (deployment.account === account) uses.push(...pieces(deployment, start, Math.min(end, now)));
    }
    return uses;
  }
}

/** A deployment's time, cut at every slot's edge and every change: in a piece nothing changes, not even a price. */
function pieces({ id, replicas, attributes, deleteTime = Infinity }: Deployment, start: number, end: number): Use[] {
  const first = Math.max(start, Math.min(...replicas.keys()));
  const last = Math.min(end, deleteTime);
  const cuts = [...replicas.keys(), ...attributes.map(({ time }) => time)].filter((cut) => cut > first && cut < last);
  for (let slot = Math.ceil(first / SLOT) * SLOT; slot < last; slot += SLOT) cuts.push(slot);
  const edges = [...new Set([first, ...cuts, last])].sort((a, b) => a - b);
  if (!(first < last)) return [];
  const scales = [...replicas].sort(([a], [b]) => a - b);
  return edges.slice(0, -1).flatMap((at, place): Use[] => {
    const count = scales.findLast(([time]) => time <= at)?.[1] ?? 0;
    const held = (attributes.findLast(({ time }) => time <= at) ?? attributes[0]!).attributes;
    const acceleratorMs = BigInt(count) * BigInt(held.acceleratorCount) * BigInt(edges[place + 1]! - at);
    if (acceleratorMs === 0n) return [];
    const { tags, baseModel, acceleratorType, placement } = held;
    const usageType = "DEDICATED_DEPLOYMENT_USAGE";
    const labels = { ...tags, usageType, deployment: id, baseModel, acceleratorType, placement };
    return [{ at, labels, quantities: { acceleratorMs }, events: 0n }];
  });
}

/** Which upstream a model goes to, and under which name. */

import type { GatewayConfig, ModelRule, UpstreamConfig } from "./config.ts";

export interface Target {
  readonly upstream: UpstreamConfig;
  /** The model's name there. */
  readonly model: string;
  /** The rule that led here: one of few, so that metrics can name it. */
  readonly rule: string;
}

interface Entry {
  readonly upstream: UpstreamConfig;
  readonly rule: ModelRule;
}

export class Routing {
  readonly #exact = new Map<string, Entry>();
  /** The longest first. */
  readonly #prefixes: readonly Entry[];

  constructor({ upstreams }: GatewayConfig) {
    const entries = upstreams.flatMap((upstream) => upstream.models.map((rule) => ({ upstream, rule })));
    for (const entry of entries) if (!entry.rule.asked.endsWith("*")) this.#exact.set(entry.rule.asked, entry);
    this.#prefixes = entries
      .filter(({ rule }) => rule.asked.endsWith("*"))
      .sort((a, b) => b.rule.asked.length - a.rule.asked.length);
  }

  /** Undefined when no rule has the model. */
  find(model: string): Target | undefined {
    const entry = this.#exact.get(model) ?? this.#prefixes.find(({ rule }) => model.startsWith(stem(rule.asked)));
    if (!entry) return undefined;
    const { upstream, rule } = entry;
    const rest = rule.asked.endsWith("*") ? model.slice(stem(rule.asked).length) : "";
    const name = rule.upstream.endsWith("*") ? stem(rule.upstream) + rest : rule.upstream;
    return { upstream, model: name, rule: rule.asked };
  }

  /** The names that are written out, each with its upstream's name. */
  get names(): readonly { readonly model: string; readonly upstream: string }[] {
    return [...this.#exact.values()].map(({ rule, upstream }) => ({ model: rule.asked, upstream: upstream.name }));
  }
}

function stem(pattern: string): string {
  return pattern.slice(0, -1);
}

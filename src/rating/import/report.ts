/** What an import tells about itself: nothing of a published list is passed over in silence. Pure. */

const FINDING_KINDS = ["not_understood", "not_expressible", "approximated", "conflict", "merged"] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** Something of the list that is not in the book, or not as it stood. */
export interface Finding {
  readonly kind: FindingKind;
  /** The key or the clause of the list. */
  readonly key: string;
  readonly reason: string;
  /** How often it stood there. */
  readonly count: number;
  /** One model that has it. */
  readonly example: string;
}

export interface ImportReport {
  /** Models of the list, of the provider that was asked for. */
  readonly models: number;
  /** Models with at least one entry in the book. */
  readonly imported: number;
  readonly entries: number;
  /** By kind, then by key. */
  readonly findings: readonly Finding[];
  /** Models of which the book prices something and not everything, each with the keys that it does not hold. */
  readonly partly: readonly { readonly model: string; readonly keys: readonly string[] }[];
  /** Models without an entry, and why. */
  readonly unpriced: readonly { readonly model: string; readonly reason: string }[];
  /** Models all of whose prices are 0, so that their usage costs nothing. */
  readonly free: readonly string[];
}

/** Gathers findings while a list is read. */
export class Findings {
  readonly #found = new Map<string, { -readonly [F in keyof Finding]: Finding[F] }>();

  add(kind: FindingKind, key: string, reason: string, example: string): void {
    const name = JSON.stringify([kind, key, reason]);
    const known = this.#found.get(name);
    if (known) known.count += 1;
    else this.#found.set(name, { kind, key, reason, count: 1, example });
  }

  list(): Finding[] {
    const order = (kind: FindingKind): number => FINDING_KINDS.indexOf(kind);
    return [...this.#found.values()].sort((a, b) => order(a.kind) - order(b.kind) || (a.key < b.key ? -1 : 1));
  }
}

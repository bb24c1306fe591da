/**
 * Values read once and kept until something is written. Nothing stale is given: whoever writes calls {@link forget}
 * when the write is done, before it is answered, and a read that began before that is not kept. What other processes
 * write is the business of watch.ts, which is asked first.
 */
export class Remembered<V> {
  readonly #entriesMax: number;
  readonly #refresh: (() => Promise<void>) | undefined;
  readonly #values = new Map<string, V>();
  #writes = 0;

  /** @param refresh Forgets what others have written, before each look; undefined where there are no others. */
  constructor(entriesMax: number, refresh?: () => Promise<void>) {
    this.#entriesMax = entriesMax;
    this.#refresh = refresh;
  }

  /** The values of these keys; those not known are read together. */
  async get(
    keys: readonly string[],
    read: (missing: readonly string[]) => Promise<ReadonlyMap<string, V>>,
  ): Promise<Map<string, V>> {
    if (this.#refresh) await this.#refresh();
    const found = new Map<string, V>();
    const missing: string[] = [];
    for (const key of keys) {
      const value = this.#values.get(key);
      if (value === undefined) missing.push(key);
      else found.set(key, value);
    }
    if (missing.length === 0) return found;
    const writes = this.#writes;
    const fresh = await read(missing);
    const keep = writes === this.#writes;
    if (keep && this.#values.size + fresh.size > this.#entriesMax) this.#values.clear();
    for (const [key, value] of fresh) {
      found.set(key, value);
      if (keep) this.#values.set(key, value);
    }
    return found;
  }

  forget(): void {
    this.#writes += 1;
    this.#values.clear();
  }
}

/** Writes, and drops what was remembered of it, whether the write succeeded or not. */
export async function forgetting<T>(
  memories: readonly Pick<Remembered<unknown>, "forget">[],
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } finally {
    for (const memory of memories) memory.forget();
  }
}

/** One value for the whole account. */
export async function rememberedWhole<V>(memory: Remembered<V>, account: string, read: () => Promise<V>): Promise<V> {
  const found = await memory.get([account], async () => new Map([[account, await read()]]));
  return found.get(account)!;
}

/** Looks facts up in a memory that all accounts share, each under its own names. */
export async function remembered<V>(
  memory: Remembered<V>,
  account: string,
  names: readonly string[],
  read: (missing: readonly string[]) => Promise<ReadonlyMap<string, V>>,
): Promise<Map<string, V>> {
  // An account's id has no slash, so no two accounts share a key.
  const prefix = `${account}/`;
  const withPrefix = (name: string) => prefix + name;
  const found = await memory.get(names.map(withPrefix), async (missing) => {
    const fresh = await read(missing.map((key) => key.slice(prefix.length)));
    return new Map([...fresh].map(([name, value]) => [withPrefix(name), value]));
  });
  return new Map([...found].map(([key, value]) => [key.slice(prefix.length), value]));
}

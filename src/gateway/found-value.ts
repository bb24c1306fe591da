/** What a scan of JSON found: its text is copied only when it is asked for, or when its chunk goes. */

/** A value that was found, as it stands in the JSON. */
export interface FoundValue {
  /** Its JSON text; undefined when it is longer than the scan keeps. */
  readonly text: string | undefined;
  /** Its bytes' place: `start <= at < end`. */
  readonly start: number;
  readonly end: number;
  /** How many items an array has; 0 for anything else. */
  readonly items: number;
}

/** A value whose bytes stand in the chunk that was fed last; its text is made when it is asked for. */
export class Found implements FoundValue {
  readonly start: number;
  readonly end: number;
  readonly items: number;
  #text: string | undefined;
  #chunk: Buffer | undefined;
  #from: number;

  /** @param text the value's, or the chunk in which it begins at `from`. */
  constructor(text: string | undefined | Buffer, from: number, place: { start: number; end: number; items: number }) {
    this.start = place.start;
    this.end = place.end;
    this.items = place.items;
    this.#from = from;
    if (typeof text === "object") this.#chunk = text;
    else this.#text = text;
  }

  get text(): string | undefined {
    this.keep();
    return this.#text;
  }

  keep(): void {
    this.#text ??= this.#chunk?.toString("utf8", this.#from, this.#from + this.end - this.start);
    this.#chunk = undefined;
  }
}

/** Lets one work of several run at a time, in the order of asking. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    // Whoever asked for it hears of a failure; the next in turn does not.
    this.#last = turn.catch(() => {});
    return turn;
  }
}

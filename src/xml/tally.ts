// How often each of many texts occurs. The tally of a long list that has changed a little shares what it knows with the one before.

/** Differences beyond this are no longer worth carrying along: whoever counts then starts anew. */
const mostDifferences = 512;

export class Tally {
  readonly #base: ReadonlyMap<string, number>;
  readonly #differences: ReadonlyMap<string, number>;

  private constructor(base: ReadonlyMap<string, number>, differences: ReadonlyMap<string, number>) {
    this.#base = base;
    this.#differences = differences;
  }

  /** Counts the texts of many things in slices. */
  static *counting<Thing>(
    things: readonly Thing[],
    textsOf: (thing: Thing) => readonly string[],
  ): Generator<void, Tally> {
    const base = new Map<string, number>();
    let counted = 0;
    for (const thing of things) {
      for (const text of textsOf(thing)) base.set(text, (base.get(text) ?? 0) + 1);
      if (++counted % 256 === 0) yield;
    }
    return new Tally(base, new Map());
  }

  /** How often the text occurs. */
  count(text: string): number {
    return (this.#base.get(text) ?? 0) + (this.#differences.get(text) ?? 0);
  }

  /** The tally without some of its texts and with others. Undefined when there have been too many differences since it was counted. */
  after(removed: Iterable<string>, added: Iterable<string>): Tally | undefined {
    const differences = new Map(this.#differences);
    const change = (text: string, by: number): boolean => {
      const sum = (differences.get(text) ?? 0) + by;
      if (sum === 0) differences.delete(text);
      else differences.set(text, sum);
      return differences.size <= mostDifferences;
    };
    for (const text of removed) if (!change(text, -1)) return undefined;
    for (const text of added) if (!change(text, 1)) return undefined;
    return new Tally(this.#base, differences);
  }
}

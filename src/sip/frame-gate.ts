// Lets frames towards the engine pass: small ones side by side, a large one alone, because a real drachtio-server loses frames
// above about 4 kB that follow each other before their replies.

/** Octets up to which frames may be under way together. */
const largestSmall = 4_000;
/** Small frames without reply at one time. */
const mostSmall = 64;

export class FrameGate {
  readonly #open: boolean;
  #small = 0;
  #large = false;
  readonly #waiting: { readonly large: boolean; readonly pass: () => void }[] = [];

  /** @param open lets every frame pass at once: for an engine that reads whatever comes */
  constructor(open = false) {
    this.#open = open;
  }

  /**
   * Runs `send` when a frame of this size may go, at once if possible.
   * @param send gets a function to call once the engine has replied; calling it again does nothing
   */
  enter(octets: number, send: (done: () => void) => void): void {
    if (this.#open) {
      send(() => undefined);
      return;
    }
    const large = octets > largestSmall;
    const pass = (): void => {
      if (large) this.#large = true;
      else this.#small += 1;
      let over = false;
      send(() => {
        if (over) return;
        over = true;
        if (large) this.#large = false;
        else this.#small -= 1;
        this.#next();
      });
    };
    if (this.#waiting.length === 0 && this.#free(large)) pass();
    else this.#waiting.push({ large, pass });
  }

  #free(large: boolean): boolean {
    return !this.#large && (large ? this.#small === 0 : this.#small < mostSmall);
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#free(first.large); first = this.#waiting[0]) {
      this.#waiting.shift();
      first.pass();
    }
  }
}

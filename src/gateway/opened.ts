// The parts that a gateway has opened so far, so that all of them can be closed, the last one first.
import type { Logger } from 'pino';

export class Opened {
  readonly #log: Logger;
  readonly #parts: { readonly name: string; readonly close: () => Promise<unknown> }[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Notes how a part is closed. */
  add(name: string, close: () => Promise<unknown>): void {
    this.#parts.push({ name, close });
  }

  /** Closes everything in reverse order; what fails to close is logged and does not keep the rest open. Never rejects. */
  async close(): Promise<void> {
    for (const { name, close } of this.#parts.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#log.error({ err: error, part: name }, 'a part could not be closed');
      }
    }
  }
}

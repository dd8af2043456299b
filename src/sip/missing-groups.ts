// Flow B set off by a SUBSCRIBE: foreign groups that an own MC service server or administrator names and that are not here are
// asked of their home, a few at a time, while the subscription is already running.
import type { Principal } from '../identity/principal.ts';
import type { OwnFacing } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';

/** Requests under way at one time. */
const together = 4;
/** Groups waiting; what comes beyond waits for the next SUBSCRIBE that names it. */
const mostWaiting = 10_000;

export class MissingGroups {
  readonly #own: Pick<OwnFacing, 'group'>;
  readonly #log: { info(fields: object, text: string): void };
  readonly #waiting = new Map<string, Principal>();
  #asking = 0;

  constructor(own: Pick<OwnFacing, 'group'>, log: { info(fields: object, text: string): void }) {
    this.#own = own;
    this.#log = log;
  }

  /** Asks for a group soon. What comes of it is seen by the change event of its store; what fails is logged. */
  ask(principal: Principal, groupId: string): void {
    if (this.#waiting.has(groupId) || this.#waiting.size >= mostWaiting) return;
    this.#waiting.set(groupId, principal);
    this.#pump();
  }

  #pump(): void {
    for (const [groupId, principal] of this.#waiting) {
      if (this.#asking >= together) return;
      this.#waiting.delete(groupId);
      this.#asking += 1;
      void this.#request(principal, groupId).finally(() => {
        this.#asking -= 1;
        this.#pump();
      });
    }
  }

  async #request(principal: Principal, groupId: string): Promise<void> {
    try {
      await this.#own.group(principal, groupId);
    } catch (error) {
      const reason = error instanceof Refusal ? error.code : String(error);
      // Which group it was is in the journal: logs name none.
      this.#log.info({ reason }, 'a subscribed group could not be obtained from its home');
    }
  }
}

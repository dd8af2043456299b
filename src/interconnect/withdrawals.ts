// What homes have withdrawn of late, so that a provision that was sent before and held up on its way brings nothing back.
import { LRUCache } from 'lru-cache';
import { clockTolerance } from './foreign.ts';

/** Groups remembered, and for how long, milliseconds: a message is not under way for longer. */
const remembered = { max: 10_000, ttl: 3_600_000 };

export class Withdrawals {
  /** When the withdrawal was sent, milliseconds, by canonical group ID. */
  readonly #sent = new LRUCache<string, number>(remembered);

  /**
   * `sent`: when the withdrawal was originated, ISO 8601; absent = the sender does not say, and nothing can be compared. `now`: when it
   * came, milliseconds since 1970. The result takes the note back, for a withdrawal that is refused.
   */
  note(groupId: string, sent: string | undefined, now: number): () => void {
    // A clock that is far ahead would keep the group away until that time has come.
    if (sent === undefined || Date.parse(sent) - now > clockTolerance) return () => undefined;
    const before = this.#sent.get(groupId) ?? 0;
    // One that was held up on its way must not make a later one forgotten.
    const noted = Math.max(Date.parse(sent), before);
    this.#sent.set(groupId, noted);
    return () => {
      if (noted > before && this.#sent.get(groupId) === noted) this.#sent.set(groupId, before);
    };
  }

  /**
   * True for a provision that was sent before the last withdrawal of the group. `creates`: it is for a group that is not there; of the
   * same second it counts as earlier then (RFC 9110 clause 6.6.1), and whoever means it sends it again without that condition.
   */
  overtook(groupId: string, sent: string | undefined, creates: boolean): boolean {
    const withdrawn = this.#sent.get(groupId);
    if (withdrawn === undefined || sent === undefined) return false;
    return creates ? Date.parse(sent) <= withdrawn : Date.parse(sent) < withdrawn;
  }
}

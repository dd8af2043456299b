// Admits what partners send within their limits, and journals what it does not admit.
import type { PartnerPrincipal } from '../identity/principal.ts';
import type { InterconnectionContext } from './context.ts';
import type { PartnerAdmission } from './ports.ts';
import { PartnerTraffic } from './traffic.ts';

export class Admission implements PartnerAdmission {
  readonly #context: Pick<InterconnectionContext, 'refusals' | 'onFault'>;
  readonly #traffic: PartnerTraffic;

  constructor(context: InterconnectionContext) {
    this.#context = context;
    this.#traffic = new PartnerTraffic({
      limitsOf: (partner) => context.current().partners.named(partner)?.configuration.limits,
      now: () => context.clock.now(),
    });
  }

  admitRequest(from: PartnerPrincipal): () => void {
    return this.#journalled(from, () => this.#traffic.beginRequest(from.partner));
  }

  admitConnection(from: PartnerPrincipal, open: number): void {
    this.#journalled(from, () => this.#traffic.checkConnection(from.partner, open));
  }

  admitSubscribe(from: PartnerPrincipal, others: number): void {
    this.#journalled(from, () => this.#traffic.checkSubscribe(from.partner, others));
  }

  // A flood must not wait for the journal, nor the journal grow with it.
  #journalled<Result>(from: PartnerPrincipal, admit: () => Result): Result {
    try {
      return admit();
    } catch (error) {
      const { onFault, refusals } = this.#context;
      refusals.note(from, 'traffic-refused', `refusals:${from.partner}`, error).catch(onFault);
      throw error;
    }
  }
}

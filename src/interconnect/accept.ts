// Flow A on the partner's side: a provision or withdrawal arrives. Who sends it is authenticated; here is decided whether it may.
// TS 23.280 clause 10.2.7: authorised, from the primary, modified by our policy, stored, then answered.
import type { Preconditions, PutOutcome } from '../documents/documents.ts';
import type { PartnerPrincipal } from '../identity/principal.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { isToBeUndone, judgeAgreement, notActive } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import { isOlder, storeForeign } from './foreign.ts';
import type { PartnerSettings } from './partners.ts';
import type { RefusedAction } from './refusal-journal.ts';
import { Withdrawals } from './withdrawals.ts';

export class Acceptance {
  readonly #context: InterconnectionContext;
  readonly #withdrawals = new Withdrawals();

  constructor(context: InterconnectionContext) {
    this.#context = context;
  }

  /** Stores a provided group; resolves when it is durable. `preconditions` compare the source's tag. Throws as PartnerFacing says. */
  async provision(
    from: PartnerPrincipal,
    groupId: string,
    body: Uint8Array | (() => Promise<Uint8Array>),
    preconditions: Preconditions,
    sent?: string,
  ): Promise<PutOutcome> {
    const journalled = <Result>(work: () => Promise<Result>): Promise<Result> =>
      this.#journalled(from, groupId, 'provision-refused', work);
    await journalled(async () => this.#authorise(from, groupId, 'stores'));
    const source = typeof body === 'function' ? await this.#received(from, groupId, body) : body;
    return journalled(async () => {
      // Once more: while the body came the agreement may have ended.
      const { partner, canonical } = this.#authorise(from, groupId, 'stores');
      if (this.#withdrawals.overtook(canonical, sent, preconditions.ifNoneMatch === '*')) {
        throw new Refusal('precondition-failed', { cause: `sent ${sent}, but withdrawn since` });
      }
      return storeForeign(this.#context, {
        partner,
        groupId: canonical,
        source,
        sent,
        preconditions,
        actor: from.identity,
        action: 'provision-accepted',
      });
    });
  }

  /**
   * Removes a group that its home has deleted or no longer provides. `sent`: when the sender originated the message, ISO 8601; one that
   * was held up on its way does not remove what was provided after it.
   */
  async withdrawal(
    from: PartnerPrincipal,
    groupId: string,
    preconditions: Preconditions,
    sent?: string,
  ): Promise<void> {
    return this.#journalled(from, groupId, 'withdrawal-refused', async () => {
      const { canonical } = this.#authorise(from, groupId, 'removes');
      // Before its turn comes: a provision that waits behind it must know
      const takeBack = this.#withdrawals.note(canonical, sent, this.#context.clock.now());
      try {
        await this.#context.foreignWrites.run(canonical, async () => {
          const held = await this.#context.documents.findSource(canonical);
          if (isOlder(sent, held)) {
            throw new Refusal('precondition-failed', {
              cause: `sent ${sent}, but what is held was sent ${held?.sent}`,
            });
          }
          await this.#context.documents.deleteForeign(canonical, from.identity, preconditions);
        });
      } catch (error) {
        // Of a group that is not here nothing is withdrawn, but what was sent before may still come
        if (!(error instanceof Refusal && error.code === 'not-found')) takeBack();
        throw error;
      }
    });
  }

  /** Outside the agreement a write is `forbidden` whatever is stored; inside, each failed precondition has its own refusal. */
  #authorise(from: PartnerPrincipal, groupId: string, effect: 'stores' | 'removes') {
    const { partners } = this.#context.current();
    const partner = partners.named(from.partner);
    if (partner === undefined) throw new Refusal('forbidden', { cause: 'partner-unknown' });
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('forbidden', { cause: 'the group ID is no URI' });
    const { agreement } = partner.configuration;
    const now = this.#context.clock.now();
    const verdict = judgeAgreement(agreement, ['theyProvide'], canonical, now);
    if (verdict.verdict === 'not-covered') throw new Refusal('forbidden', { cause: 'agreement-does-not-cover' });
    // The clocks of two systems differ: the other side may undo what ended here a moment ago.
    const undoes = effect === 'removes' && isToBeUndone(agreement, now);
    if (verdict.verdict === 'not-active' && !undoes) throw notActive(verdict.why);
    // Transit is refused: only the home of a group is the source of its configuration.
    if (!isHomeOf(partner, partners.homeOf(canonical))) throw new Refusal('partner-not-authoritative');
    return { partner, canonical };
  }

  // A sender that goes away in the middle is no refusal.
  async #received(from: PartnerPrincipal, groupId: string, body: () => Promise<Uint8Array>): Promise<Uint8Array> {
    try {
      return await body();
    } catch (error) {
      if (error instanceof Refusal) {
        await this.#context.refusals.note(from, 'provision-refused', canonicalUri(groupId) ?? groupId, error);
      }
      throw error;
    }
  }

  async #journalled<Result>(
    from: PartnerPrincipal,
    groupId: string,
    action: RefusedAction,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      await this.#context.refusals.note(from, action, canonicalUri(groupId) ?? groupId, error);
      throw error;
    }
  }
}

function isHomeOf(partner: PartnerSettings, home: PartnerSettings | undefined): boolean {
  return home?.configuration.name === partner.configuration.name;
}

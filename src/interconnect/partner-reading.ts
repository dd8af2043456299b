// What a partner may read beside our own groups: its groups as it gave them to us, and the directory of all that it may read.
// On the interconnect face a foreign group is its source, whatever policy made of it.
import type { PartnerPrincipal } from '../identity/principal.ts';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { inactivity, isCovered, listsOf, notActive } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import type { PartnerView } from './ports.ts';

export class PartnerReading {
  readonly #context: InterconnectionContext;

  constructor(context: InterconnectionContext) {
    this.#context = context;
  }

  /** See PartnerCopies.copyForPartner. */
  async copy(from: PartnerPrincipal, groupId: string): Promise<PartnerView | undefined> {
    const canonical = canonicalUri(groupId);
    const { partners } = this.#context.current();
    const home = canonical === undefined ? undefined : partners.homeOf(canonical);
    if (canonical === undefined || home?.configuration.name !== from.partner) return undefined;
    const { agreement } = home.configuration;
    if (!isCovered(agreement, listsOf.inbound, canonical)) return undefined;
    const inactive = inactivity(agreement, this.#context.clock.now());
    if (inactive !== undefined) throw notActive(inactive);
    const held = await this.#context.documents.findSource(canonical);
    // The home asks what we hold of its group: that we hold nothing is the answer, not that the agreement covers nothing.
    if (held === undefined || held.partner !== from.partner) {
      throw new Refusal('not-found', { cause: 'the group is not held here' });
    }
    return { groupId: canonical, bytes: held.bytes, tag: held.tag, modified: held.received };
  }
}

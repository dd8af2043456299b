// A partner's view of our groups: what the outbound policy lets leave, checked, with a tag of its own.
// Flow B answers with it, flow A delivers it; recent views are kept, bounded by bytes.
import { LRUCache } from 'lru-cache';
import type { ServedDocument } from '../documents/documents.ts';
import { entityTag } from '../documents/entity-tag.ts';
import type { InterconnectionContext } from './context.ts';
import { contextOf, derive } from './derive.ts';
import type { PartnerSettings } from './partners.ts';
import type { PartnerView } from './ports.ts';

const cacheBytes = 16 * 1024 * 1024;

export class OutboundViews {
  readonly #context: InterconnectionContext;
  readonly #views = new LRUCache<string, PartnerView>({
    maxSize: cacheBytes,
    sizeCalculation: (view) => view.bytes.byteLength + 512,
  });

  constructor(context: InterconnectionContext) {
    this.#context = context;
  }

  /** The view of a home group. Throws the Refusal of an outbound policy that lets nothing leave. */
  async of(partner: PartnerSettings, groupId: string, document: ServedDocument): Promise<PartnerView> {
    const { outbound, configuration } = partner;
    const context = contextOf(partner, 'outbound', groupId, this.#context.current().partners);
    const third = configuration.agreement.thirdSystemMembers;
    const policy = [outbound.name, outbound.version, outbound.digest, context.services, third];
    const key = JSON.stringify([configuration.name, groupId, document.tag, ...policy]);
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const { bytes } = await derive(this.#context.documents, outbound, document.bytes, context);
    const view = { groupId, bytes, tag: entityTag(bytes), modified: document.modified };
    this.#views.set(key, view);
    return view;
  }

  /** Forgets all views: settings changed. */
  clear(): void {
    this.#views.clear();
  }
}

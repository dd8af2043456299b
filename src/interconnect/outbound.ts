// A partner's view of our groups: what the outbound policy lets leave, checked, with a tag of its own.
// Flow B answers with it, flow A delivers it; recent views are kept, bounded by bytes.
import { LRUCache } from 'lru-cache';
import type { ServedDocument } from '../documents/documents.ts';
import { entityTag } from '../documents/entity-tag.ts';
import { Refusal } from '../refusals.ts';
import type { InterconnectionContext } from './context.ts';
import { contextOf, derive } from './derive.ts';
import type { PartnerSettings } from './partners.ts';
import type { PartnerView } from './ports.ts';

const cacheBytes = 16 * 1024 * 1024;
/** Views whose tag is remembered when they are not. */
const tagsRemembered = 100_000;

/** The tag of a view that was made of a document; without `tag` the policy let nothing leave. */
interface RememberedTag {
  readonly of: string;
  readonly settings: string;
  readonly tag: string | undefined;
}

export class OutboundViews {
  readonly #context: InterconnectionContext;
  readonly #views = new LRUCache<string, PartnerView>({
    maxSize: cacheBytes,
    sizeCalculation: (view) => view.bytes.byteLength + 512,
  });

  readonly #tags = new LRUCache<string, RememberedTag>({ max: tagsRemembered });
  /** The same text for all views of a partner: each of many tags keeps only a reference. */
  readonly #settings = new Map<string, string>();

  constructor(context: InterconnectionContext) {
    this.#context = context;
  }

  /** The view of a home group. Throws the Refusal of an outbound policy that lets nothing leave. */
  async of(partner: PartnerSettings, groupId: string, document: ServedDocument): Promise<PartnerView> {
    const { outbound, configuration } = partner;
    const context = contextOf(partner, 'outbound', groupId, this.#context.current().partners);
    const settings = this.#settingsOf(partner, context.services);
    const key = JSON.stringify([configuration.name, groupId, document.tag, settings]);
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const remember = (tag: string | undefined): void => {
      this.#tags.set(placeOf(configuration.name, groupId), { of: document.tag, settings, tag });
    };
    try {
      const { bytes } = await derive(this.#context.documents, outbound, document.bytes, context);
      const view = { groupId, bytes, tag: entityTag(bytes), modified: document.modified };
      this.#views.set(key, view);
      remember(view.tag);
      return view;
    } catch (error) {
      if (error instanceof Refusal && error.code !== 'unavailable') remember(undefined);
      throw error;
    }
  }

  /**
   * The tag of the view of a home group whose document has the tag `of`; undefined when the group is gone or the policy lets nothing leave.
   * Throws `unavailable`.
   */
  async tagOf(partner: PartnerSettings, groupId: string, of: string): Promise<string | undefined> {
    const { services } = contextOf(partner, 'outbound', groupId, this.#context.current().partners);
    const known = this.#tags.get(placeOf(partner.configuration.name, groupId));
    if (known?.of === of && known.settings === this.#settingsOf(partner, services)) return known.tag;
    const document = await this.#context.documents.findGroup(groupId);
    if (document?.key.tree !== 'users') return undefined;
    try {
      return (await this.of(partner, groupId, document)).tag;
    } catch (error) {
      if (error instanceof Refusal && error.code !== 'unavailable') return undefined;
      throw error;
    }
  }

  #settingsOf({ configuration, outbound }: PartnerSettings, services: readonly string[] | undefined): string {
    const third = configuration.agreement.thirdSystemMembers;
    const settings = JSON.stringify([outbound.name, outbound.version, outbound.digest, services, third]);
    const known = this.#settings.get(settings);
    if (known !== undefined) return known;
    this.#settings.set(settings, settings);
    return settings;
  }

  /** Forgets all views: settings changed. */
  clear(): void {
    this.#views.clear();
    this.#tags.clear();
    this.#settings.clear();
  }
}

function placeOf(partner: string, groupId: string): string {
  return `${partner} ${groupId}`;
}

// What a partner may read on our CSC-16 face, as its directory of documents shows it (OMA XDM): each with the tag that a read would tell.
// The first directory after a start derives every view once; who asks meanwhile is told when to come again.
import { setImmediate } from 'node:timers/promises';
import type { PartnerPrincipal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import { inactivity, isCovered, listsOf } from './agreement.ts';
import type { InterconnectionContext } from './context.ts';
import type { OutboundViews } from './outbound.ts';
import type { DirectoryEntry } from './ports.ts';
import type { Primary } from './primary.ts';

/** How long one question may take, milliseconds; the directory is made on, and the next question joins. */
const patience = 4000;
/** Seconds after which who was not answered in time may ask again. */
const retryAfter = 2;

export class PartnerDirectories {
  readonly #context: InterconnectionContext;
  readonly #primary: Pick<Primary, 'homeDocuments'>;
  readonly #views: Pick<OutboundViews, 'tagOf'>;
  /** One directory of each partner is made at a time, however often it is asked for. */
  readonly #making = new Map<string, Promise<readonly DirectoryEntry[]>>();
  #stopped = false;

  constructor(
    context: InterconnectionContext,
    primary: Pick<Primary, 'homeDocuments'>,
    views: Pick<OutboundViews, 'tagOf'>,
  ) {
    this.#context = context;
    this.#primary = primary;
    this.#views = views;
  }

  /** See PartnerCopies.directoryForPartner. */
  async directory({ partner }: PartnerPrincipal): Promise<readonly DirectoryEntry[]> {
    let making = this.#making.get(partner);
    if (making === undefined) {
      making = this.#make(partner).finally(() => this.#making.delete(partner));
      this.#making.set(partner, making);
    }
    const late = Promise.withResolvers<never>();
    const cancel = this.#context.clock.after(patience, () =>
      late.reject(new Refusal('unavailable', { retryAfter, cause: 'the directory is being made' })),
    );
    try {
      return await Promise.race([making, late.promise]);
    } finally {
      cancel();
    }
  }

  /** Lets no directory be made on; resolves when none is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#making.values());
  }

  async #make(name: string): Promise<readonly DirectoryEntry[]> {
    const { clock, current, store } = this.#context;
    const partner = current().partners.named(name);
    if (partner === undefined || inactivity(partner.configuration.agreement, clock.now()) !== undefined) return [];
    const { agreement } = partner.configuration;
    const entries: DirectoryEntry[] = [];
    for await (const { groupId, tag } of this.#primary.homeDocuments()) {
      if (this.#stopped) throw new Refusal('unavailable', { cause: 'the gateway stops' });
      if (!isCovered(agreement, listsOf.outbound, groupId)) continue;
      const seen = await this.#views.tagOf(partner, groupId, tag);
      if (seen !== undefined) entries.push({ groupId, tag: seen });
      await setImmediate();
    }
    for (const { groupId, tag } of await store.sources(name)) {
      if (isCovered(agreement, listsOf.inbound, groupId)) entries.push({ groupId, tag });
    }
    return entries;
  }
}

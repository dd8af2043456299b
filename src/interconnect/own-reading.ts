// Groups for principals of our own system: what is here at once, what is missing by flow B when they may set it off.
import type { ServedDocument } from '../documents/documents.ts';
import { type Principal, principalName } from '../identity/principal.ts';
import { canonicalUri, matchesPattern } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import type { InterconnectionContext } from './context.ts';
import type { Requests } from './request.ts';

export class OwnReading {
  readonly #context: InterconnectionContext;
  readonly #requests: Requests;

  constructor(context: InterconnectionContext, requests: Requests) {
    this.#context = context;
    this.#requests = requests;
  }

  /** See OwnFacing.group. */
  async group(principal: Principal, groupId: string): Promise<ServedDocument> {
    const canonical = canonicalUri(groupId);
    if (canonical === undefined) throw new Refusal('not-found', { cause: 'the group ID is no URI' });
    const { current, documents } = this.#context;
    const stored = await documents.findGroup(canonical);
    if (stored !== undefined) return this.#marked(documents.view(principal, stored));
    if (!mayTrigger(principal, canonical) || current().partners.isHomed(canonical)) throw new Refusal('not-found');
    const held = await documents.findSource(canonical);
    if (held?.heldSince !== undefined) throw new Refusal('not-found', { cause: 'the group waits for its release' });
    await this.#requests.bring(canonical, principalName(principal));
    const brought = await documents.findGroup(canonical);
    if (brought === undefined) throw new Refusal('not-found');
    return this.#marked(documents.view(principal, brought));
  }

  // A stale copy says so to whoever reads it; the document itself is shared by all readers.
  #marked(document: ServedDocument): ServedDocument {
    const staleSince = document.groupId === undefined ? undefined : this.#context.staleness.since(document.groupId);
    if (staleSince === undefined) return document;
    const { key, tag, bytes, groupId, modified } = document;
    return {
      key,
      tag,
      bytes,
      groupId,
      modified,
      staleSince,
      get index() {
        return document.index;
      },
      get group() {
        return document.group;
      },
    };
  }
}

/** Flow B is set off by own MC service servers, and by administrators for the groups that they may act on. */
function mayTrigger(principal: Principal, groupId: string): boolean {
  if (principal.role !== 'administrator') return principal.role === 'server';
  return principal.groups === undefined || principal.groups.some((pattern) => matchesPattern(pattern, groupId));
}

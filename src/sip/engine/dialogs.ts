// Subscription dialogs of both roles (RFC 3261 12, RFC 6665 4.4): what is kept of each, how one is found and changed.
import { contactUri, type DialogRecord, octetRecord, recordRoutes } from './dialog-record.ts';
import type { SipRequest, SipResponse } from './message.ts';
import type { Flow, TransportName } from './transport.ts';

/** Dialogs kept at once; beyond it new subscriptions are refused with 503. */
const DIALOG_LIMIT = 200_000;
const CSEQ_LIMIT = 2 ** 31 - 1;
const CSEQ_EPOCH = Date.UTC(2026, 0, 1);

/** One dialog. Texts are copies, because a slice would keep the whole message that it was cut from. */
export interface Dialog<Owner> {
  /** Towards applications: `Call-ID;from-tag=tag of the initiator`. */
  readonly id: string;
  readonly callId: string;
  readonly role: 'notifier' | 'subscriber';
  readonly localTag: string;
  readonly remoteTag: string;
  /** From and To of our requests without tags. */
  readonly localUri: string;
  readonly remoteUri: string;
  readonly routeSet: readonly string[];
  localCSeq: number;
  /** -1 until the peer has sent a request. */
  remoteCSeq: number;
  remoteTarget: string;
  /** Transport on which the peer was last heard. */
  transport: TransportName;
  /** The way on which the peer was last heard; undefined after a restart when that was a connection. */
  flow: Flow | undefined;
  owner: Owner | undefined;
  /** Engine time in milliseconds after which nobody can still need the dialog. */
  expires: number;
}

/** The id of a dialog towards applications. */
export function dialogId(callId: string, initiatorTag: string): string {
  return `${callId};from-tag=${initiatorTag}`;
}

/**
 * A number to start numbering from that a restart does not fall behind: quarter seconds since 2026 (RFC 3261 8.1.1.5 suggests
 * a clock). It stays ahead of what was sent as long as a dialog averages less than four requests per second.
 * @param wallTime milliseconds since 1970
 */
export function clockCSeq(wallTime: number): number {
  return Math.min(Math.max(1, Math.floor((wallTime - CSEQ_EPOCH) / 250)), CSEQ_LIMIT - 2 ** 24);
}

export class Dialogs<Owner> {
  readonly #byId = new Map<string, Dialog<Owner>>();

  get size(): number {
    return this.#byId.size;
  }

  get full(): boolean {
    return this.#byId.size >= DIALOG_LIMIT;
  }

  get(id: string): Dialog<Owner> | undefined {
    return this.#byId.get(id);
  }

  /** The dialog of a request that came in: Call-ID and both tags must match (RFC 3261 12.2.2). */
  find(request: SipRequest): Dialog<Owner> | undefined {
    const { callId, from, to } = request;
    if (to.tag === '') return undefined;
    const asNotifier = this.#byId.get(dialogId(callId, from.tag));
    if (asNotifier?.role === 'notifier' && asNotifier.localTag === to.tag) return asNotifier;
    const asSubscriber = this.#byId.get(dialogId(callId, to.tag));
    return asSubscriber?.role === 'subscriber' && asSubscriber.remoteTag === from.tag ? asSubscriber : undefined;
  }

  /** Makes the dialog of a SUBSCRIBE that came in and is answered with a 2xx (RFC 3261 12.1.1). */
  addNotifier(request: SipRequest, localTag: string, flow: Flow, owner: Owner, wallTime: number): Dialog<Owner> {
    return this.#add({
      id: dialogId(request.callId, request.from.tag),
      callId: request.callId,
      role: 'notifier',
      localTag,
      remoteTag: request.from.tag,
      localUri: request.to.text,
      remoteUri: request.from.text,
      routeSet: recordRoutes(request.fields),
      localCSeq: clockCSeq(wallTime),
      remoteCSeq: request.cseq,
      remoteTarget: contactUri(request) ?? request.from.uri,
      transport: flow.transport,
      flow,
      owner,
      expires: Number.POSITIVE_INFINITY,
    });
  }

  /**
   * Makes the dialog of a SUBSCRIBE that we sent (RFC 3261 12.1.2, RFC 6665 4.4.1).
   * @param evidence the 2xx, or the NOTIFY that overtook it
   */
  addSubscriber(
    sent: SipRequest,
    evidence: SipResponse | SipRequest,
    flow: Flow,
    owner: Owner | undefined,
  ): Dialog<Owner> {
    const notify = evidence.kind === 'request';
    const routes = recordRoutes(evidence.fields);
    return this.#add({
      id: dialogId(sent.callId, sent.from.tag),
      callId: sent.callId,
      role: 'subscriber',
      localTag: sent.from.tag,
      remoteTag: notify ? evidence.from.tag : evidence.to.tag,
      localUri: sent.from.text,
      remoteUri: sent.to.text,
      routeSet: notify ? routes : routes.reverse(),
      localCSeq: sent.cseq,
      remoteCSeq: notify ? evidence.cseq : -1,
      remoteTarget: contactUri(evidence) ?? sent.uri,
      transport: flow.transport,
      flow,
      owner,
      expires: Number.POSITIVE_INFINITY,
    });
  }

  /** Takes up a dialog again after a restart. */
  restore(kept: DialogRecord, flow: Flow | undefined, wallTime: number): Dialog<Owner> {
    const record = octetRecord(kept);
    return this.#add({
      id: dialogId(record.callId, record.remoteTag),
      callId: record.callId,
      role: 'notifier',
      localTag: record.localTag,
      remoteTag: record.remoteTag,
      localUri: record.localUri,
      remoteUri: record.remoteUri,
      routeSet: record.routeSet,
      localCSeq: Math.max(clockCSeq(wallTime), record.localCSeq ?? 0),
      remoteCSeq: record.remoteCSeq,
      remoteTarget: record.remoteTarget,
      transport: record.source.transport,
      flow,
      owner: undefined,
      expires: Number.POSITIVE_INFINITY,
    });
  }

  remove(dialog: Dialog<Owner>): void {
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
  }

  /** Removes what has been over for long without being ended. */
  removeExpired(now: number): void {
    for (const dialog of this.#byId.values()) if (dialog.expires < now) this.#byId.delete(dialog.id);
  }

  #add(dialog: Dialog<Owner>): Dialog<Owner> {
    const id = detached(dialog.id);
    const kept: Dialog<Owner> = {
      ...dialog,
      id,
      callId: detached(dialog.callId),
      localTag: detached(dialog.localTag),
      remoteTag: detached(dialog.remoteTag),
      localUri: detached(dialog.localUri),
      remoteUri: detached(dialog.remoteUri),
      routeSet: dialog.routeSet.length === 0 ? NO_ROUTES : dialog.routeSet.map(detached),
      remoteTarget: detached(dialog.remoteTarget),
    };
    this.#byId.set(id, kept);
    return kept;
  }
}

const NO_ROUTES: readonly string[] = [];

/** A copy that shares no memory with the text it was cut from. */
function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** Takes over a changed remote target (RFC 3261 12.2.1.2, 12.2.2: SUBSCRIBE and NOTIFY refresh it, RFC 6665 3). */
export function refreshTarget(dialog: Dialog<unknown>, message: SipRequest | SipResponse): void {
  const target = contactUri(message);
  if (target !== undefined && target !== dialog.remoteTarget) dialog.remoteTarget = detached(target);
}

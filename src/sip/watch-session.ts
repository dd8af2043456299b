// One subscription of ours at a partner's group management server (RFC 6665 clause 4.1): made, refreshed, ended and made again,
// whatever the partner does. It may hold a part of the groups watched there.
import { randomBytes, randomUUID } from 'node:crypto';
import { retryDelay } from '../interconnect/backoff.ts';
import type { Timer, TimerQueue } from './engine/timer-queue.ts';
import { type HeaderFields, hdr, tagOf } from './headers.ts';
import type { PartnerNotify } from './partner-notify.ts';
import type { SubscribeOutcome, SubscribeRequest } from './sip-port.ts';
import { watchRequest } from './watch-request.ts';

/** Where a partner's group management server is reached over SIP. */
export interface PartnerAddress {
  /** Its public service identity. */
  readonly gms: string;
  /** SIP URIs to try in order; empty = by the domain of the identity, or the outbound proxy. */
  readonly nextHops: readonly string[];
}

export interface WatchSurroundings {
  readonly timers: TimerQueue;
  readonly subscribe: (request: SubscribeRequest) => Promise<SubscribeOutcome>;
  /** Our public service identity. */
  readonly gms: string;
  /** 64*T1 in milliseconds: a SUBSCRIBE without NOTIFY for so long has failed (timer N). */
  readonly notifyPatience: number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: { info(fields: object, text: string): void };
}

/** What a session tells its keeper. */
export interface WatchKeeper {
  changed(groupId: string, tag: string | undefined): void;
  /** `up` has changed. */
  turned(): void;
}

/** Seconds asked for. */
const duration = 3_600;
const backoff = { first: 5, ceiling: 300 };
/** Seconds after which we look whether the partner still has the subscription: it drops it when a NOTIFY of its did not reach us. */
const longestTrust = 300;
/** Milliseconds; a subscription that ended sooner than this is not made again at once. */
const shortLife = 10_000;
/** Milliseconds between two SUBSCRIBEs at least, however little a partner grants. */
const shortestRefresh = 5_000;
/** Milliseconds after the last NOTIFY of a full state until what was not in it counts as gone: it may come in several. */
const settling = 2_000;
/** RFC 6665 4.1.2.2: answers to a refresh after which the subscription is over. */
const over = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);
/** RFC 6665 4.1.3: reasons for which one should not subscribe again. */
const final = new Set(['rejected', 'noresource', 'invariant']);

export class WatchSession {
  readonly partner: string;
  readonly #address: () => PartnerAddress | undefined;
  readonly #surroundings: WatchSurroundings;
  readonly #keeper: WatchKeeper;
  #groups: ReadonlySet<string> = new Set();
  /** Groups in the last SUBSCRIBE. */
  #asked: ReadonlySet<string> = new Set();
  /** Tags told, by group. */
  readonly #told = new Map<string, string>();
  /** Groups that the full state has told so far; undefined when none is being told. */
  #telling: Set<string> | undefined;
  #callId = '';
  #localTag = '';
  /** '' until the first NOTIFY or 2xx, whichever comes first. */
  #remoteTag = '';
  #hop = 0;
  #failures = 0;
  #started = 0;
  /** A SUBSCRIBE is without answer. */
  #asking = false;
  /** The list has changed since the last SUBSCRIBE. */
  #outdated = false;
  #up = false;
  #ended = false;
  /** Seconds between refreshes, as the partner wants them. */
  #duration = duration;
  #action: Timer | undefined;
  #patience: Timer | undefined;
  #settle: Timer | undefined;

  constructor(
    partner: string,
    address: () => PartnerAddress | undefined,
    surroundings: WatchSurroundings,
    keeper: WatchKeeper,
  ) {
    this.partner = partner;
    this.#address = address;
    this.#surroundings = surroundings;
    this.#keeper = keeper;
  }

  /** True while the partner has us subscribed with every group. */
  get up(): boolean {
    return this.#up;
  }

  get groups(): ReadonlySet<string> {
    return this.#groups;
  }

  /** Watches these groups from now on; also tries again what was given up. */
  setGroups(groups: ReadonlySet<string>): void {
    const same = groups.size === this.#groups.size && [...groups].every((group) => this.#groups.has(group));
    this.#groups = groups;
    for (const group of this.#told.keys()) if (!groups.has(group)) this.#told.delete(group);
    const idle = this.#callId === '' && this.#action === undefined && !this.#asking;
    if (same && !idle) return;
    this.#outdated = true;
    if (this.#asking) return;
    if (this.#callId !== '' || idle) this.#after(0, () => void this.#subscribe());
  }

  /** Whether a NOTIFY belongs here: Call-ID and our tag match (RFC 6665 clause 4.4.1). */
  matches(callId: string, toTag: string): boolean {
    return this.#callId !== '' && callId === this.#callId && toTag === this.#localTag;
  }

  /** Takes a NOTIFY that matches; false when it is of another fork (RFC 5875 clause 4.9), which is to be answered 481. */
  receive(headers: HeaderFields, notify: PartnerNotify): boolean {
    const from = tagOf(hdr(headers, 'from'));
    if (this.#remoteTag !== '' && from !== this.#remoteTag) return false;
    this.#remoteTag = from;
    clear(this.#patience);
    this.#patience = undefined;
    // Nothing is told from here any more once we have ended the subscription ourselves.
    if (this.#ended) {
      if (notify.state === 'terminated') this.#forget();
      return true;
    }
    if (notify.groups !== undefined) this.#tell(notify.groups);
    if (notify.state === 'terminated') {
      this.#terminated(notify);
      return true;
    }
    this.#failures = 0;
    if (notify.expires !== undefined) this.#refreshWithin(notify.expires);
    this.#turn(true);
    return true;
  }

  /** Ends the subscription; resolves when the partner has answered. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#turn(false);
    for (const timer of [this.#action, this.#patience, this.#settle]) clear(timer);
    if (this.#callId !== '') await this.#surroundings.subscribe(this.#request(0));
  }

  #tell(groups: ReadonlyMap<string, string | undefined>): void {
    for (const [group, tag] of groups) {
      if (!this.#groups.has(group)) continue;
      this.#telling?.add(group);
      if (tag === undefined) this.#told.delete(group);
      else this.#told.set(group, tag);
      this.#keeper.changed(group, tag);
    }
    if (this.#telling === undefined) return;
    clear(this.#settle);
    this.#settle = this.#timer(settling, () => this.#tellMissing());
  }

  /** RFC 5875 4.7: a full state has no entry for what is not there, or may not be read any more. */
  #tellMissing(): void {
    const present = this.#telling;
    this.#telling = undefined;
    this.#settle = undefined;
    if (present === undefined || this.#ended) return;
    // Told before or not: a copy may be held since a life in which another session was told of it
    for (const group of this.#asked) {
      if (present.has(group) || !this.#groups.has(group)) continue;
      this.#told.delete(group);
      this.#keeper.changed(group, undefined);
    }
  }

  async #subscribe(): Promise<void> {
    if (this.#ended) return;
    if (this.#asking) {
      this.#after(1_000, () => void this.#subscribe());
      return;
    }
    const { timers, notifyPatience, subscribe } = this.#surroundings;
    const address = this.#address();
    if (address === undefined) {
      // The configuration names the partner no more, or not yet.
      this.#failed(undefined);
      return;
    }
    const initial = this.#callId === '';
    if (initial) this.#begin();
    const callId = this.#callId;
    this.#asking = true;
    this.#outdated = false;
    this.#telling = new Set();
    this.#asked = this.#groups;
    clear(this.#patience);
    this.#patience = this.#timer(notifyPatience, () => this.#lost('no NOTIFY came'));
    const outcome = await subscribe(this.#request(this.#duration));
    this.#asking = false;
    // A NOTIFY may have ended it meanwhile; what comes next has been arranged then.
    if (this.#ended || this.#callId !== callId) return;
    this.#answered(outcome, initial, timers.now());
    if (this.#outdated && this.#callId === callId) this.#after(0, () => void this.#subscribe());
  }

  #begin(): void {
    this.#callId = randomUUID();
    this.#localTag = randomBytes(8).toString('hex');
    this.#remoteTag = '';
    this.#started = this.#surroundings.timers.now();
  }

  #answered(outcome: SubscribeOutcome, initial: boolean, now: number): void {
    const { status, expires, minimumExpires, retryAfter } = outcome;
    if (status >= 200 && status < 300) {
      if (this.#remoteTag === '') this.#remoteTag = outcome.toTag ?? '';
      // RFC 5839 5.2, RFC 6665 4.1.2.4: no NOTIFY comes, and nothing has changed
      if (status === 204) {
        clear(this.#patience);
        this.#patience = undefined;
        this.#telling = undefined;
      }
      this.#refreshWithin(expires ?? this.#duration);
      return;
    }
    clear(this.#patience);
    this.#patience = undefined;
    if (status === 423 && minimumExpires !== undefined && minimumExpires > this.#duration) {
      // RFC 6665 4.1.2.1: asked again with what the partner wants at least
      this.#duration = minimumExpires;
      if (initial) this.#forget();
      this.#after(0, () => void this.#subscribe());
      return;
    }
    this.#surroundings.log.info({ partner: this.partner, status }, 'a partner refused our SUBSCRIBE');
    if (initial || over.has(status)) {
      // RFC 6665 4.1.2.2: a refresh that is 481 and the like is followed by a new subscription, at once when it had lived
      const atOnce = !initial && now - this.#started > shortLife;
      this.#forget();
      if (initial) this.#hop += 1;
      if (atOnce) this.#again(0);
      else this.#failed(retryAfter);
      return;
    }
    // It lives until it expires: asked again in time, with more and more patience.
    this.#failures += 1;
    this.#after(this.#pause(retryAfter), () => void this.#subscribe());
  }

  #terminated({ reason, retryAfter }: PartnerNotify): void {
    const { timers, log } = this.#surroundings;
    const life = timers.now() - this.#started;
    log.info({ partner: this.partner, reason }, 'a partner ended our subscription');
    this.#forget();
    if (final.has(reason)) return;
    // deactivated and timeout: at once, retry-after means nothing; the others wait as asked
    const atOnce = reason === 'deactivated' || reason === 'timeout';
    if (atOnce && life > shortLife) this.#again(0);
    else if (!atOnce && reason !== 'probation' && reason !== 'giveup' && retryAfter === undefined && life > shortLife) {
      this.#again(0);
    } else this.#failed(atOnce ? undefined : retryAfter);
  }

  #lost(cause: string): void {
    this.#surroundings.log.info({ partner: this.partner, cause }, 'a subscription at a partner was lost');
    this.#hop += 1;
    this.#forget();
    this.#failed(undefined);
  }

  /** The dialog is gone; what was told is still known. */
  #forget(): void {
    this.#callId = '';
    this.#telling = undefined;
    for (const timer of [this.#action, this.#patience, this.#settle]) clear(timer);
    this.#action = undefined;
    this.#patience = undefined;
    this.#settle = undefined;
    this.#turn(false);
  }

  #failed(retryAfter: number | undefined): void {
    this.#failures += 1;
    this.#turn(false);
    this.#again(this.#pause(retryAfter));
  }

  #pause(retryAfter: number | undefined): number {
    return retryDelay(backoff, Math.max(1, this.#failures), this.#surroundings.random(), retryAfter);
  }

  #again(delay: number): void {
    this.#after(delay, () => void this.#subscribe());
  }

  #refreshWithin(seconds: number): void {
    // Early enough for a SUBSCRIBE and its NOTIFY to fail once and be tried again.
    const left = Math.min(seconds, this.#duration);
    const refresh = Math.min(left - Math.min(left / 2, 120), longestTrust);
    // A partner that grants nothing must not be asked without end.
    this.#after(Math.max(refresh * 1000, shortestRefresh), () => void this.#subscribe());
  }

  #turn(up: boolean): void {
    if (this.#up === up) return;
    this.#up = up;
    this.#keeper.turned();
  }

  #after(delay: number, act: () => void): void {
    clear(this.#action);
    this.#action = this.#timer(delay, () => {
      this.#action = undefined;
      act();
    });
  }

  #timer(delay: number, act: () => void): Timer {
    return this.#surroundings.timers.after(delay, { onTimer: act });
  }

  #request(expires: number): SubscribeRequest {
    const { gms } = this.#surroundings;
    const address = this.#address();
    const hops = address?.nextHops ?? [];
    return watchRequest({
      gms,
      partnerGms: address?.gms ?? gms,
      nextHop: hops[this.#hop % Math.max(1, hops.length)],
      callId: this.#callId,
      localTag: this.#localTag,
      dialogId: this.#remoteTag === '' ? undefined : `${this.#callId};from-tag=${this.#localTag}`,
      expires,
      groups: expires === 0 ? [] : this.#groups,
    });
  }
}

function clear(timer: Timer | undefined): void {
  if (timer !== undefined) timer.owner = undefined;
}

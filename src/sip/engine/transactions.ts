// Non-INVITE transactions (RFC 3261 17.1.2, 17.2.2). What waits for 32 seconds is kept small: a server transaction holds
// the last response only, a client transaction nothing beyond its final response.
import { randomBytes } from 'node:crypto';
import type { SipRequest, SipResponse } from './message.ts';
import type { Timer, TimerOwner, TimerQueue } from './timer-queue.ts';
import type { Flow, FlowUser } from './transport.ts';

/** Timer values of RFC 3261 17 in milliseconds. */
export interface TimerValues {
  readonly t1: number;
  readonly t2: number;
}

const MAGIC_COOKIE = 'z9hG4bK';

/**
 * The key under which retransmissions of a request find its transaction (RFC 3261 17.2.3): branch, sent-by and method, or
 * the older rule for a branch without the magic cookie.
 * @param method the method to look for, another than the request's own for CANCEL
 */
export function serverKey(request: SipRequest, method: string): string {
  const { via } = request;
  if (via.branch.startsWith(MAGIC_COOKIE) && via.branch.length > MAGIC_COOKIE.length) {
    return `${via.branch}|${via.host}:${via.port ?? ''}|${method}`;
  }
  return `|${request.callId}|${request.cseq}|${method}|${request.from.tag}|${request.to.tag}|${request.uri}|${via.head}${via.branch}`;
}

/** A request from the network until it is answered, then the answer until Timer J. */
export class ServerTransaction<Delivery> implements TimerOwner {
  readonly key: string;
  /** Id towards the application. */
  readonly id: string;
  /** Identity of the request whatever way it came, '' within a dialog. */
  readonly mergeKey: string;
  /** Where the answer goes. */
  flow: Flow;
  /** What is needed to answer; undefined once that is done. */
  delivery: Delivery | undefined;
  response = '';
  readonly #table: ServerTransactions<Delivery>;
  #timer: Timer | undefined;

  constructor(
    table: ServerTransactions<Delivery>,
    key: string,
    id: string,
    mergeKey: string,
    flow: Flow,
    delivery: Delivery,
  ) {
    this.#table = table;
    this.key = key;
    this.id = id;
    this.mergeKey = mergeKey;
    this.flow = flow;
    this.delivery = delivery;
  }

  wait(timers: TimerQueue, delay: number): void {
    this.cancelTimer();
    this.#timer = timers.after(delay, this);
  }

  cancelTimer(): void {
    if (this.#timer) this.#timer.owner = undefined;
    this.#timer = undefined;
  }

  onTimer(): void {
    this.#table.remove(this);
  }
}

/** What tells that a request came by two ways (RFC 3261 8.2.2.2: only without To tag); '' when it cannot. */
function mergeKeyOf(request: SipRequest): string {
  if (request.to.tag !== '') return '';
  return `${request.callId}|${request.cseq}|${request.from.tag}|${request.method}`;
}

export class ServerTransactions<Delivery> {
  readonly #timers: TimerQueue;
  readonly #lifetime: number;
  readonly #byKey = new Map<string, ServerTransaction<Delivery>>();
  readonly #merge = new Map<string, ServerTransaction<Delivery>>();
  readonly #pending = new Map<string, ServerTransaction<Delivery>>();

  readonly #settled: (delivery: Delivery) => void;

  /** @param settled told of each request that is answered, or forgotten without an answer */
  constructor(timers: TimerQueue, values: TimerValues, settled: (delivery: Delivery) => void) {
    this.#timers = timers;
    this.#lifetime = 64 * values.t1;
    this.#settled = settled;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Requests that the applications have not answered, by id. */
  get pending(): ReadonlyMap<string, ServerTransaction<Delivery>> {
    return this.#pending;
  }

  find(key: string): ServerTransaction<Delivery> | undefined {
    return this.#byKey.get(key);
  }

  /** True when the same request is known from another way through the network. */
  isMerged(request: SipRequest): boolean {
    return this.#merge.has(mergeKeyOf(request));
  }

  /** A new transaction; forgotten without an answer after 128 T1, when its client has long given up. */
  create(key: string, id: string, request: SipRequest, flow: Flow, delivery: Delivery): void {
    const transaction = new ServerTransaction(this, key, id, mergeKeyOf(request), flow, delivery);
    this.#byKey.set(key, transaction);
    if (transaction.mergeKey !== '') this.#merge.set(transaction.mergeKey, transaction);
    this.#pending.set(id, transaction);
    transaction.wait(this.#timers, 2 * this.#lifetime);
  }

  /** Sends the final response and keeps it for retransmissions of the request (Timer J; none on reliable transports). */
  answer(transaction: ServerTransaction<Delivery>, response: string): void {
    transaction.flow.send(response);
    this.#settle(transaction);
    if (transaction.flow.transport === 'udp') {
      transaction.response = response;
      transaction.wait(this.#timers, this.#lifetime);
    } else this.remove(transaction);
  }

  remove(transaction: ServerTransaction<Delivery>): void {
    transaction.cancelTimer();
    this.#byKey.delete(transaction.key);
    this.#settle(transaction);
    if (this.#merge.get(transaction.mergeKey) === transaction) this.#merge.delete(transaction.mergeKey);
  }

  #settle(transaction: ServerTransaction<Delivery>): void {
    const { delivery } = transaction;
    if (delivery === undefined) return;
    this.#pending.delete(transaction.id);
    transaction.delivery = undefined;
    this.#settled(delivery);
  }
}

/** Who sent a request and what happens to it; exactly one of these is called last, once. */
export interface ClientUser {
  provisional(response: SipResponse, flow: Flow): void;
  final(response: SipResponse, flow: Flow): void;
  timeout(): void;
  failed(): void;
}

/** A request to the network until its final response, Timer F or a transport failure. */
export class ClientTransaction implements TimerOwner, FlowUser {
  readonly branch: string;
  readonly method: string;
  readonly user: ClientUser;
  readonly flow: Flow;
  readonly #table: ClientTransactions;
  readonly #deadline: number;
  #text: string;
  #interval: number;
  #timer: Timer | undefined;

  constructor(table: ClientTransactions, branch: string, method: string, text: string, flow: Flow, user: ClientUser) {
    this.#table = table;
    this.branch = branch;
    this.method = method;
    this.user = user;
    this.flow = flow;
    this.#text = text;
    const { t1 } = table.values;
    this.#interval = t1;
    this.#deadline = table.timers.now() + 64 * t1;
    // Timer E on UDP only (RFC 3261 17.1.2.2); Timer F always.
    this.#timer = table.timers.after(flow.transport === 'udp' ? t1 : 64 * t1, this);
    flow.send(text, this);
  }

  /** A provisional response slows Timer E down to T2 (RFC 3261 17.1.2.2). */
  proceed(): void {
    this.#interval = this.#table.values.t2;
  }

  onTimer(now: number): void {
    if (now >= this.#deadline - 0.5) {
      this.#table.end(this);
      this.user.timeout();
      return;
    }
    this.flow.send(this.#text, this);
    this.#interval = Math.min(this.#interval * 2, this.#table.values.t2);
    this.#timer = this.#table.timers.after(Math.min(this.#interval, this.#deadline - now), this);
  }

  onFlowFailed(): void {
    if (this.#timer === undefined) return;
    this.#table.end(this);
    this.user.failed();
  }

  /** Lets go of everything. */
  end(): void {
    if (this.#timer) this.#timer.owner = undefined;
    this.#timer = undefined;
    this.#text = '';
    this.flow.release(this);
  }
}

export class ClientTransactions {
  readonly timers: TimerQueue;
  readonly values: TimerValues;
  readonly #byBranch = new Map<string, ClientTransaction>();

  constructor(timers: TimerQueue, values: TimerValues) {
    this.timers = timers;
    this.values = values;
  }

  get size(): number {
    return this.#byBranch.size;
  }

  /** A branch nobody can guess, so that nobody off the path can answer (RFC 3261 8.1.1.7). */
  newBranch(): string {
    return MAGIC_COOKIE + randomText(12);
  }

  start(branch: string, method: string, text: string, flow: Flow, user: ClientUser): void {
    const transaction = new ClientTransaction(this, branch, method, text, flow, user);
    this.#byBranch.set(branch, transaction);
  }

  /** A response from the network; what matches no transaction is dropped (RFC 3261 18.1.2), which is all Timer K is for. */
  receive(response: SipResponse, flow: Flow): void {
    const transaction = this.#byBranch.get(response.via.branch);
    if (!transaction || transaction.method !== response.cseqMethod || response.vias !== 1) return;
    if (response.status < 200) {
      transaction.proceed();
      transaction.user.provisional(response, flow);
      return;
    }
    this.end(transaction);
    transaction.user.final(response, flow);
  }

  end(transaction: ClientTransaction): void {
    this.#byBranch.delete(transaction.branch);
    transaction.end();
  }
}

let pool = Buffer.alloc(0);
let poolAt = 0;

/** Random text of hexadecimal digits. @param octets number of random octets */
export function randomText(octets: number): string {
  if (poolAt + octets > pool.length) {
    pool = randomBytes(4096);
    poolAt = 0;
  }
  poolAt += octets;
  return pool.toString('hex', poolAt - octets, poolAt);
}

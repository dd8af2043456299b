// A SIP server under measurement.
import type { SubscriptionKind } from './scenarios.ts';

/** One server, fresh for each round. */
export interface SipServer {
  /** `host:port` of its UDP listener. */
  readonly target: string;
  /** Processes whose time and memory, with those of their descendants, count as the server's. */
  readonly processes: readonly number[];
  readonly kind: SubscriptionKind;
  /** Values of the keywords that the scenarios use. */
  readonly keys: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

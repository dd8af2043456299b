// A gateway as the `serve` command sees it; the composition root implements it.
import type { Logger } from 'pino';
import type { Prepared } from './prepare.ts';

/** Where the faces of a gateway are reached, as bound; absent faces are not configured. */
export interface GatewayUrls {
  /** XCAP root for own clients and servers. */
  readonly xcap: string;
  /** XCAP root for partner systems. */
  readonly interconnect?: string | undefined;
  /** SIP URIs. */
  readonly sip: readonly string[];
  readonly manage?: string | undefined;
}

export interface RunningGateway {
  readonly urls: GatewayUrls;
  /** Resolves with the fault when something ends that the gateway cannot do without. */
  readonly failed: Promise<Error>;
  /** Takes over what can change while running; resolves to the keys whose change needs a restart. */
  reload(prepared: Prepared): Promise<readonly string[]>;
  /** Stops accepting, lets what runs finish for at most `drainTime`, makes everything durable. */
  close(): Promise<void>;
}

/** How long requests may go on when a gateway stops, milliseconds. */
export const drainTime = 10_000;

/** A part cannot start because of what the configuration says and the machine has; the message names key and address or file. */
export class StartProblem extends Error {}

/** Starts a gateway; rejects, having closed what was opened, when a part cannot start. */
export type StartGateway = (prepared: Prepared, log: Logger) => Promise<RunningGateway>;

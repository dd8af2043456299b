// The part of drachtio-srf 5 that this gateway uses, as it really behaves; the types in the package describe another interface.

import type { Socket } from 'node:net';

/** Header fields by lower-case name, values of repeated fields joined with commas. */
export type SrfHeaders = Readonly<Record<string, string>>;

/** A request delivered to middleware, or the echo of one that was sent. */
export interface SrfRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: SrfHeaders;
  /** The text as received. */
  readonly raw: string | undefined;
  readonly protocol: string;
  readonly source_address: string;
  readonly source_port: number;
  /** `address:port` of the listener, on requests outside dialogs alone. */
  readonly receivedOn?: string | undefined;
  /** The connection to the engine. */
  readonly socket: Socket;
  on(event: 'response', listener: (response: SrfMessage) => void): void;
}

/** A response as received. */
export interface SrfMessage {
  readonly status: number;
  readonly headers: SrfHeaders;
}

/** The answer to a delivered request. */
export interface SrfResponse {
  /** `error` is an Error or the text of the server. Throws for a status that the library does not know. */
  send(
    status: number,
    options: { readonly headers: Record<string, string>; readonly body?: string },
    callback: (error: unknown) => void,
  ): void;
}

export type SrfMiddleware = (request: SrfRequest, response: SrfResponse) => void;

/** What a request needs; a dialog supplies the rest. */
export interface SrfRequestOptions {
  readonly method: string;
  /** Of a request in a dialog. */
  readonly stackDialogId?: string;
  /** Next hop of a request outside dialogs. */
  readonly proxy?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface SrfConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  readonly reconnect: { readonly retryMaxDelay: number };
}

export interface SrfAgent {
  connect(options: SrfConnectOptions): void;
  /** Ends the connection of this socket and every attempt to make a new one. */
  disconnect(socket?: object): void;
  /** Middleware for one method, lower case. */
  use(method: string, middleware: SrfMiddleware): void;
  /** Throws when there is no connection. */
  request(
    uri: string,
    options: SrfRequestOptions,
    callback: (error: { readonly code?: string; readonly message?: string } | null, sent?: SrfRequest) => void,
  ): void;
  on(event: 'connect', listener: (error: unknown, hostPort?: string) => void): void;
  on(event: 'error' | 'close' | 'reconnecting', listener: (error?: unknown) => void): void;
}

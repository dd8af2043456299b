// How long SIP exchanges take, for metrics: requests of others until we answer, requests of ours until their final answer.
// Method and status alone are told, never who they concern.
import type { IncomingRequest, SipPort } from './sip-port.ts';

/** One request with its final answer. */
export interface SipExchange {
  /** `in`: a request of somebody else. */
  readonly direction: 'in' | 'out';
  readonly method: string;
  /** Of requests of ours as in NotifyOutcome. */
  readonly status: number;
  readonly milliseconds: number;
}

/** Hears of every exchange; must not throw. */
export type ExchangeListener = (exchange: SipExchange) => void;

/** The request, telling of its answer. `now` in milliseconds. */
export function timedRequest(request: IncomingRequest, tell: ExchangeListener, now: () => number): IncomingRequest {
  const { method } = request;
  const begun = now();
  let answered = false;
  return {
    ...request,
    respond(status, headers) {
      if (!answered) tell({ direction: 'in', method, status, milliseconds: now() - begun });
      answered = true;
      return request.respond(status, headers);
    },
  };
}

/** What we send through the port, telling of the final answers. `now` in milliseconds. */
export function timedPort(
  port: SipPort,
  tell: ExchangeListener,
  now: () => number,
): Pick<SipPort, 'notify' | 'subscribe'> {
  const timed = async <Outcome extends { readonly status: number }>(
    method: string,
    work: Promise<Outcome>,
  ): Promise<Outcome> => {
    const begun = now();
    const outcome = await work;
    tell({ direction: 'out', method, status: outcome.status, milliseconds: now() - begun });
    return outcome;
  };
  return {
    notify: (dialogId, headers, body) => timed('NOTIFY', port.notify(dialogId, headers, body)),
    subscribe: (request) => timed('SUBSCRIBE', port.subscribe(request)),
  };
}

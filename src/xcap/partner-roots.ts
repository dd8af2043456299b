// The XCAP roots of one partner: a request goes to the first that answers, in the configured order.
import type { Dispatcher } from 'undici';
import { parseHttpDate } from './http-date.ts';
import { refusalReason } from './refusal-reason.ts';

export interface RootConnection {
  readonly root: string;
  /** Connections to the root, direct or through a proxy. */
  readonly dispatcher: Dispatcher;
  /** Path of the root, without trailing slash. */
  readonly basePath: string;
}

export interface PartnerRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Below the root, with leading slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Ends the request; no other root is tried then. */
  readonly signal?: AbortSignal | undefined;
}

/** `none`: no root gave an answer below 500; the reason is that of the last one tried. */
export type PartnerReply =
  | {
      readonly reply: 'answer';
      readonly status: number;
      readonly contentType?: string | undefined;
      readonly entityTag?: string | undefined;
      readonly retryAfter?: number | undefined;
      readonly body: Uint8Array;
      /** One line for operators. */
      readonly reason: string;
    }
  | { readonly reply: 'none'; readonly reason: string; readonly retryAfter?: number | undefined };

export interface PartnerRoots {
  /** Never throws for what the partner does. */
  request(request: PartnerRequest): Promise<PartnerReply>;
  close(): Promise<void>;
}

/** A root that failed is tried after the others for so long, milliseconds. */
const avoidance = 30_000;

/** Makes the group of roots. `timeout`: milliseconds for a complete answer of one root. */
export function partnerRoots(
  connections: readonly RootConnection[],
  { timeout, now }: { readonly timeout: number; readonly now: () => number },
): PartnerRoots {
  const avoidUntil = new Map<RootConnection, number>();
  const inOrder = (): readonly RootConnection[] => {
    const avoided = (one: RootConnection): boolean => (avoidUntil.get(one) ?? 0) > now();
    return [...connections.filter((one) => !avoided(one)), ...connections.filter(avoided)];
  };

  return {
    async request(request) {
      let last: PartnerReply = {
        reply: 'none',
        reason: 'partner-not-addressed: No address is configured for the partner',
      };
      for (const connection of inOrder()) {
        const reply = await ask(connection, request, timeout, now);
        if (reply.reply === 'answer') {
          avoidUntil.delete(connection);
          return reply;
        }
        if (request.signal?.aborted) return reply;
        avoidUntil.set(connection, now() + avoidance);
        last = reply;
      }
      return last;
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.dispatcher.destroy()));
    },
  };
}

async function ask(
  connection: RootConnection,
  request: PartnerRequest,
  timeout: number,
  now: () => number,
): Promise<PartnerReply> {
  try {
    return await attempt(connection, request, timeout, now);
  } catch (error) {
    if (!isBrokenConnection(error)) return { reply: 'none', reason: `${connection.root}: ${describe(error)}` };
  }
  // A kept connection may have been closed by the other side just now; all our methods may be repeated (RFC 9110 9.2.2)
  try {
    return await attempt(connection, request, timeout, now);
  } catch (error) {
    return { reply: 'none', reason: `${connection.root}: ${describe(error)}` };
  }
}

async function attempt(
  { root, dispatcher, basePath }: RootConnection,
  { method, path, headers, body, signal }: PartnerRequest,
  timeout: number,
  now: () => number,
): Promise<PartnerReply> {
  const end = AbortSignal.any([AbortSignal.timeout(timeout), ...(signal === undefined ? [] : [signal])]);
  const asked = dispatcher.request({
    origin: new URL(root).origin,
    method,
    path: basePath + path,
    headers: { ...headers, 'Accept-Encoding': 'identity' },
    body: body ?? null,
    signal: end,
  });
  const answer = await unlessAborted(asked, end);
  const content = new Uint8Array(await answer.body.arrayBuffer());
  const field = (name: string): string | undefined => single(answer.headers[name]);
  const status = answer.statusCode;
  const coding = field('content-encoding') ?? 'identity';
  if (coding !== 'identity')
    return { reply: 'none', reason: `${root}: the answer has the content coding ${coding.slice(0, 100)}` };
  const contentType = field('content-type');
  const told = status < 400 ? undefined : refusalReason(contentType, content);
  const reason = told === undefined ? String(status) : `${status} ${told}`;
  const retryAfter = parseRetryAfter(field('retry-after'), now);
  if (status >= 500) return { reply: 'none', reason: `${root}: ${reason}`, retryAfter };
  return { reply: 'answer', status, contentType, entityTag: field('etag'), retryAfter, body: content, reason };
}

// undici looks at the signal of a request only when it has a connection for it, which a frozen partner never gives
async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function single(field: Dispatcher.ResponseData['headers'][string]): string | undefined {
  return Array.isArray(field) ? field[0] : field;
}

// RFC 9110 10.2.3: seconds, or a date; what is neither says nothing
function parseRetryAfter(field: string | undefined, now: () => number): number | undefined {
  if (field === undefined) return undefined;
  const text = field.trim();
  // However many digits a partner writes, it asks for no more than can be counted
  if (/^\d+$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  const date = parseHttpDate(text, now());
  return date === undefined ? undefined : Math.max(0, Math.ceil((date - now()) / 1000));
}

function isBrokenConnection(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error));
}

function describe(error: unknown): string {
  const code = codeOf(error);
  const text = error instanceof Error ? error.message : String(error);
  return code === '' || text.includes(code) ? text : `${code} ${text}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

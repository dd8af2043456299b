// What a SIPp scenario is, and the parts of a subscription's life that most scenarios share.
import {
  answer,
  body,
  type Check,
  cseq,
  cseqAfter,
  header,
  list,
  noBody,
  notify,
  refresh,
  remember,
  response,
  type Step,
  same,
  send,
} from './steps.ts';

/** Key whose value the caller gives with `-key NAME VALUE`. */
export type Key =
  | 'psi'
  | 'identity'
  | 'entry'
  | 'collection'
  | 'stranger'
  | 'group'
  | 'root'
  | 'token'
  | 'short'
  | 'expires'
  | 'create'
  | 'change'
  | 'delete'
  | 'restart';

/** One scenario: a file `NAME.xml` and a row of the README's table. */
export interface Scenario {
  readonly name: string;
  /** The clauses that it proves, for instance `RFC 6665 4.2.1`. */
  readonly clause: string;
  readonly proves: string;
  /** Keys beside `psi`, `identity` and `entry`. */
  readonly keys?: readonly Key[];
  /** Whether the document of `entry` exists before; absent = it does. */
  readonly starts?: 'without document';
  /** Where it can be played; absent = over UDP and TCP. */
  readonly transport?: 'udp' | 'tcp';
  /** SIPp opens a connection for each call (`-t tn`) and can open it anew; absent = `-t u1` or `-t t1`. */
  readonly sockets?: 'one for each call';
  /** SIPp waits for the server under test to subscribe; absent = SIPp subscribes. */
  readonly part?: 'notifier';
  readonly steps: readonly Step[];
}

/** Accepted: Expires as given (a regular expression), and the tag of the dialog. */
export function accepted(expires = '600', tag = 'to_tag'): Step {
  return response(200, header('Expires', `^ *${expires}$`), header('To', 'tag=([^;]+)', tag));
}

export const active = header('Subscription-State', '^ *active;expires=[0-9]+');
export const timedOut = header('Subscription-State', '^ *terminated;reason=timeout');

/** The xcap-diff names the entry, octet for octet. */
export const selIsEntry: readonly Check[] = [body('sel="([^"]*)"', 'sel'), same('sel', 'entry')];

/** The resource exists: a new tag, kept in the variable, and no previous one. */
export function told(tag: string): readonly Check[] {
  return [...selIsEntry, body('new-etag="([^"]+)"', tag), noBody('previous-etag')];
}

/** SUBSCRIBE to the entry, accepted, first state with its tag in `new1` and CSeq in `cseq1`, answered. */
export function subscribed(fields: Readonly<Record<string, string | undefined>> = {}): readonly Step[] {
  return [
    remember('entry'),
    send({ fields, body: list('[entry]') }),
    accepted('[0-9]+'),
    notify(active, cseq('cseq1'), body('xcap-root="[^"]+/"'), ...told('new1')),
    answer('200 OK'),
  ];
}

/** The subscription is ended, and says so. `after` is the variable with the last CSeq. */
export function ended(after: string, fields: Readonly<Record<string, string | undefined>> = {}): readonly Step[] {
  return [
    refresh({ fields: { Expires: '0', ...fields } }),
    response(200, header('Expires', '^ *0$')),
    notify(timedOut, cseqAfter(after, 'cseq_end', true)),
    answer('200 OK'),
  ];
}

/** The SUBSCRIBE is refused. */
export function refused(
  status: number,
  fields: Readonly<Record<string, string | undefined>>,
  ...checks: readonly Check[]
): readonly Step[] {
  return [send({ fields, body: list('[entry]') }), response(status, ...checks)];
}

/** The text of the scenario's file. */
export function scenarioXml({ name, clause, proves, steps }: Scenario): string {
  const variables = [...new Set(steps.flatMap((step) => step.variables))].sort();
  const reference = variables.length === 0 ? [] : [`  <Reference variables="${variables.join(',')}"/>`];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE scenario SYSTEM "sipp.dtd">',
    `<!-- ${clause}: ${proves.replaceAll('--', '-')}. Written by write.ts. -->`,
    `<scenario name="${name}">`,
    ...steps.map(({ xml }) => xml),
    ...reference,
    '</scenario>',
    '',
  ].join('\n');
}

// Scenarios of the server as a subscriber: SIPp is the group management server of a partner system, RFC 6665 clause 4.1, RFC 5875 clause 4.9.
import type { Scenario } from './scenario.ts';
import { body, header, raw, receive, response, type Step } from './steps.ts';

interface Notify {
  readonly number: number;
  readonly state: string;
  readonly event?: string;
  /** Letter of the sender's tag; another one is another fork. */
  readonly fork?: string;
}

const diff =
  '<?xml version="1.0" encoding="UTF-8"?>\n<xcap-diff xmlns="urn:ietf:params:xml:ns:xcap-diff" xcap-root="[root]"><document sel="[entry]" new-etag="of-nobody"/></xcap-diff>';
const contact = '<sip:gms@[local_ip]:[local_port];transport=[transport];gr>';

/** A NOTIFY to who subscribed. */
function notify({ number, state, event = 'xcap-diff', fork = 'h' }: Notify): Step {
  const text = [
    'NOTIFY [$target] SIP/2.0',
    `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-${fork}${number}`,
    'Max-Forwards: 70',
    `From:[$to];tag=[pid]${fork}[call_number]`,
    'To:[$from]',
    'Call-ID: [call_id]',
    `CSeq: ${number} NOTIFY`,
    `Contact: ${contact}`,
    `Event: ${event}`,
    `Subscription-State: ${state}`,
    'Content-Type: application/xcap-diff+xml',
    'Content-Length: [len]',
    '',
    diff,
  ].join('\n');
  return raw(`<send retrans="500"><![CDATA[\n${text}\n]]></send>`);
}

/** The 200 to the SUBSCRIBE that was kept. */
const accepted = raw(`<send><![CDATA[
SIP/2.0 200 OK
Via:[$via]
From:[$from]
To:[$to];tag=[pid]h[call_number]
Call-ID: [call_id]
CSeq:[$cseq]
Contact: ${contact}
Expires: 600
Content-Length: 0

]]></send>`);

/** Scenarios in which SIPp notifies. */
export const subscriberScenarios: readonly Scenario[] = [
  {
    name: 'notify-first',
    clause: 'RFC 6665 4.1.2.4, 4.4.1, 8.2.1, RFC 5875 4.9, TS 24.481 6.3.13',
    proves:
      'the server subscribes to `entry` with its PSI asserted; a NOTIFY that overtakes the 200 makes the subscription, one of another fork is 481, one of another package 489, and `terminated;reason=noresource` ends it',
    keys: ['root'],
    transport: 'udp',
    part: 'notifier',
    steps: [
      receive('request="SUBSCRIBE" timeout="30000"', [
        header('Event', '^ *xcap-diff'),
        header('Accept', 'application/xcap-diff\\+xml'),
        header('P-Asserted-Identity', 'sips?:'),
        header('Content-Type', 'application/resource-lists\\+xml'),
        header('Expires', '^ *[1-9][0-9]*'),
        body('<entry [^>]*uri="[^"]+"'),
        header('Contact', '<(sips?:[^>]+;gr[^>]*)>', 'target'),
        ...['Via', 'From', 'To', 'CSeq'].map((name) => header(name, '(.*)', name.toLowerCase())),
      ]),
      notify({ number: 1, state: 'active;expires=600' }),
      response(200, header('CSeq', '^ *1 NOTIFY')),
      accepted,
      notify({ number: 2, state: 'active;expires=600', fork: 'f' }),
      response(481, header('CSeq', '^ *2 NOTIFY')),
      notify({ number: 3, state: 'active;expires=600', event: 'presence' }),
      response(489, header('CSeq', '^ *3 NOTIFY')),
      notify({ number: 4, state: 'terminated;reason=noresource' }),
      response(200, header('CSeq', '^ *4 NOTIFY')),
    ],
  },
];

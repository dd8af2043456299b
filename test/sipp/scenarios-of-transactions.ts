// Scenarios of transactions, routes and connections: RFC 3261 clauses 8, 12, 16, 17 and 18, RFC 3581.

import { accepted, active, ended, type Scenario, subscribed, timedOut, told } from './scenario.ts';
import {
  answer,
  body,
  cseq,
  cseqAfter,
  header,
  list,
  message,
  notify,
  raw,
  receive,
  refresh,
  remember,
  requestText,
  response,
  run,
  same,
  send,
  tagOf,
} from './steps.ts';

const ok = answer('200 OK');
const proxyOf = (leg: string, lr = ';lr'): string => `<sip:${leg}@[local_ip]:[local_port];transport=[transport]${lr}>`;
const branch = (name: string): string => `z9hG4bK-[pid]-[call_number]-${name}`;
const via = (name: string, sentBy = '[local_ip]:[local_port]'): string =>
  `SIP/2.0/[transport] ${sentBy};rport;branch=${branch(name)}`;
const moreFrom = (dialog: string): string => `<[identity]>;tag=${tagOf(dialog)}`;

/** Scenarios of transactions, routes and connections. */
export const transactionScenarios: readonly Scenario[] = [
  {
    name: 'retransmission',
    clause: 'RFC 3261 17.2.2',
    proves:
      'a SUBSCRIBE that comes again (its 200 was lost) gets the same 200 with the same tag, and there is one subscription and one NOTIFY',
    transport: 'udp',
    steps: (() => {
      const again = send({
        fields: { CSeq: '1 SUBSCRIBE', Via: via('again') },
        body: list('[entry]'),
        retransmit: false,
      });
      return [
        remember('entry'),
        again,
        accepted(),
        notify(active, cseq('cseq1'), ...told('new1')),
        ok,
        again,
        response(200, header('To', 'tag=([^;]+)', 'second_tag'), same('to_tag', 'second_tag')),
        refresh({ fields: { CSeq: '2 SUBSCRIBE' } }),
        response(200),
        notify(active, cseqAfter('cseq1', 'cseq2'), ...told('new2')),
        ok,
        ...ended('cseq2', { CSeq: '3 SUBSCRIBE' }),
      ];
    })(),
  },
  {
    name: 'merged',
    clause: 'RFC 3261 8.2.2.2',
    proves: 'the same SUBSCRIBE by a second way (another branch) is 482, and there is one subscription',
    steps: [
      remember('entry'),
      send({ fields: { CSeq: '1 SUBSCRIBE', Via: via('one') }, body: list('[entry]') }),
      accepted(),
      notify(active, cseq('cseq1'), ...told('new1')),
      ok,
      send({ fields: { CSeq: '1 SUBSCRIBE', Via: via('other') }, body: list('[entry]') }),
      response(482),
      ...ended('cseq1', { CSeq: '2 SUBSCRIBE' }),
    ],
  },
  {
    name: 'same-branch',
    clause: 'RFC 3261 17.2.3, RFC 4475 3.1.1.8',
    proves: 'requests with one branch and different sent-by are different transactions',
    transport: 'udp',
    steps: ['192.0.2.1:5060', '192.0.2.2:5060'].flatMap((sentBy, n) => [
      send({
        method: 'OPTIONS',
        fields: { Via: via('same', sentBy), From: moreFrom(`b${n}`), CSeq: `${10 + n} OPTIONS` },
      }),
      response(200, header('CSeq', `^ *${10 + n} `), header('From', `b${n}`)),
    ]),
  },
  {
    name: 'old-cseq',
    clause: 'RFC 3261 12.2.2',
    proves: 'a SUBSCRIBE in the dialog whose CSeq is not above the last one is 500 and disturbs nothing',
    steps: [
      remember('entry'),
      send({ fields: { CSeq: '20 SUBSCRIBE' }, body: list('[entry]') }),
      accepted(),
      notify(active, cseq('cseq1'), ...told('new1')),
      ok,
      refresh({ fields: { CSeq: '19 SUBSCRIBE', Expires: '0' } }),
      response(500),
      refresh({ fields: { CSeq: '40 SUBSCRIBE' } }),
      response(200),
      notify(active, cseqAfter('cseq1', 'cseq2'), ...told('new2')),
      ok,
      ...ended('cseq2', { CSeq: '41 SUBSCRIBE' }),
    ],
  },
  {
    name: 'compact',
    clause: 'RFC 3261 7.3.3, RFC 6665 7.3',
    proves: 'compact header names (`v f t i m o c l u`), any case, spaces and tabs round colons',
    steps: (() => {
      const compact = (to: string, expires: string): Parameters<typeof send>[0] => ({
        fields: {
          Via: undefined,
          From: undefined,
          To: undefined,
          'Call-ID': undefined,
          Contact: undefined,
          Event: undefined,
          Expires: undefined,
          'Content-Type': undefined,
        },
        lines: [
          'v: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
          `f:<[identity]>;tag=${tagOf('t')}`,
          `t : ${to}`,
          'i:[call_id]',
          'm:<sip:subscriber@[local_ip]:[local_port];transport=[transport]>',
          'o:\txcap-diff',
          `eXpIrEs: ${expires}`,
          'c: application/resource-lists+xml',
        ],
      });
      return [
        remember('entry'),
        send({ ...compact('<[psi]>', '600'), body: list('[entry]') }),
        accepted(),
        notify(active, cseq('cseq1'), ...told('new1')),
        ok,
        send({ ...compact('<[psi]>;tag=[$to_tag]', '0'), body: list('[entry]') }),
        response(200),
        notify(timedOut, cseqAfter('cseq1', 'cseq2')),
        ok,
      ];
    })(),
  },
  {
    name: 'record-route',
    clause: 'RFC 3261 12.1.1, 12.2.1.1',
    proves:
      'two Record-Route fields with `lr` come back in the 200 in their order and are the Route fields of every NOTIFY; its Request-URI is the Contact',
    steps: [
      remember('entry'),
      send({
        lines: [`Record-Route: ${proxyOf('inner')}`, `Record-Route: ${proxyOf('outer')}`],
        body: list('[entry]'),
      }),
      response(
        200,
        header('To', 'tag=([^;]+)', 'to_tag'),
        message('Record-Route: *<sip:inner@[^>]*;lr>.*<sip:outer@[^>]*;lr>'),
      ),
      notify(
        active,
        cseq('cseq1'),
        message('^NOTIFY sip:subscriber@'),
        message('Route: *<sip:inner@[^>]*;lr>.*<sip:outer@[^>]*;lr>'),
        ...told('new1'),
      ),
      ok,
      refresh(),
      response(200),
      notify(cseqAfter('cseq1', 'cseq2'), message('Route: *<sip:inner@[^>]*;lr>.*<sip:outer@'), ...told('new2')),
      ok,
      ...ended('cseq2'),
    ],
  },
  {
    name: 'strict-route',
    clause: 'RFC 3261 12.2.1.1',
    proves:
      'when the first Record-Route has no `lr`, it is the Request-URI of every NOTIFY and the Contact is the last Route',
    steps: [
      remember('entry'),
      send({ lines: [`Record-Route: ${proxyOf('strict', '')}`], body: list('[entry]') }),
      accepted(),
      notify(
        active,
        cseq('cseq1'),
        message('^NOTIFY sip:strict@'),
        message('Route: *<sip:subscriber@[^>]*>'),
        ...told('new1'),
      ),
      ok,
      ...ended('cseq1'),
    ],
  },
  {
    name: 'rport',
    clause: 'RFC 3581 4, RFC 3261 18.2.1',
    proves: 'responses go to the address and port that the request came from; Via says them in `received` and `rport`',
    transport: 'udp',
    steps: [
      send({ method: 'OPTIONS', fields: { Via: via('nat', '192.0.2.1:9') } }),
      response(200, header('Via', '^ *SIP/2.0/UDP 192.0.2.1:9;.*rport=[0-9]+'), header('Via', 'received=[0-9a-f.:]+')),
    ],
  },
  {
    name: 'pipelined',
    clause: 'RFC 3261 18.3, 7.5',
    proves: 'two requests in one write, with an empty line between them, are two requests',
    transport: 'tcp',
    steps: [
      raw(
        `<send><![CDATA[\n${['', 'hello']
          .map((text, n) =>
            requestText({
              method: 'OPTIONS',
              // SIPp counts and ends a message for itself only when there is one
              fields: { Via: via(`pipelined${n}`), CSeq: `${n + 1} OPTIONS`, 'Content-Length': String(text.length) },
              body: text,
            }),
          )
          .join('\n')}\n]]></send>`,
      ),
      response(200, header('CSeq', '^ *1 OPTIONS')),
      response(200, header('CSeq', '^ *2 OPTIONS')),
    ],
  },
  {
    name: 'reconnect',
    clause: 'RFC 3261 18.2.2, RFC 5626',
    proves:
      'the connection is lost while the subscription lives: a refresh over a new one finds the dialog and NOTIFYs come there',
    transport: 'tcp',
    sockets: 'one for each call',
    steps: [
      ...subscribed(),
      raw('<nop>\n    <action>\n      <closecon/>\n    </action>\n  </nop>'),
      refresh(),
      response(200),
      notify(active, cseqAfter('cseq1', 'cseq2'), ...told('new2'), same('new1', 'new2')),
      ok,
      ...ended('cseq2'),
    ],
  },
  {
    name: 'restart',
    clause: 'RFC 3261 12.2.1.1',
    proves:
      'the server is killed while the subscription lives; dialog, tags and list go on, CSeq does not go back, and a refresh finds the dialog',
    keys: ['restart'],
    transport: 'udp',
    steps: [
      ...subscribed(),
      // What was told is stored in batches: the crash comes after the batch.
      raw('<pause milliseconds="1000"/>'),
      run('restart'),
      receive('request="NOTIFY" timeout="60000"', [
        active,
        cseqAfter('cseq1', 'cseq2', true),
        body('previous-etag="([^"]+)"', 'previous2'),
        body('new-etag="([^"]+)"', 'new2'),
        same('previous2', 'new1'),
      ]),
      ok,
      refresh(),
      response(200),
      notify(active, cseqAfter('cseq2', 'cseq3'), ...told('new3'), same('new3', 'new2')),
      ok,
      ...ended('cseq3'),
    ],
  },
  {
    name: 'load',
    clause: 'RFC 6665 4.2.1',
    proves: 'SUBSCRIBE → 200 → NOTIFY → 200 for each call; the subscriptions stay: rates and many subscribers',
    keys: ['expires'],
    steps: [
      send({ fields: { Expires: '[expires]' }, body: list('[entry]') }),
      receive('response="200" rtd="true" timeout="30000"'),
      receive('request="NOTIFY" timeout="30000"'),
      ok,
    ],
  },
];

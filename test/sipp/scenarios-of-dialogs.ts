// Scenarios of who subscribes, and of dialogs and their NOTIFYs: TS 24.481 clause 6.3.13, RFC 6665 clauses 4.2.2 and 4.5.

import { accepted, active, ended, type Scenario, subscribed, timedOut, told } from './scenario.ts';
import { withToken } from './scenarios-of-refusals.ts';
import {
  answer,
  body,
  cseq,
  cseqAfter,
  header,
  list,
  noBody,
  notify,
  raw,
  receive,
  refresh,
  remember,
  response,
  run,
  same,
  send,
  tagOf,
} from './steps.ts';

const ok = answer('200 OK');
const moreFrom = (dialog: string): string => `<[identity]>;tag=${tagOf(dialog)}`;

/** Answers to NOTIFY that end a subscription, RFC 6665 clause 4.2.2 and RFC 5057. */
const endings: readonly (readonly [status: string, ...lines: string[]])[] = [
  ['404 Not Found'],
  ['405 Method Not Allowed'],
  ['408 Request Timeout'],
  ['410 Gone'],
  ['416 Unsupported URI Scheme'],
  ['480 Temporarily Unavailable', 'Retry-After: 1'],
  ['481 Subscription Does Not Exist'],
  ['482 Loop Detected'],
  ['483 Too Many Hops'],
  ['484 Address Incomplete'],
  ['485 Ambiguous'],
  ['489 Bad Event'],
  ['501 Not Implemented'],
  ['604 Does Not Exist Anywhere', 'Retry-After: 1'],
];

/** Scenarios of dialogs and transactions. */
export const dialogScenarios: readonly Scenario[] = [
  {
    name: 'token',
    clause: 'TS 24.481 6.3.13.2.1, 6.3.13.3.2.2',
    proves:
      'a client says who it is with an access token in mcptt-info beside the list in multipart/mixed, in either order; From and asserted identities say nothing',
    keys: ['token'],
    steps: (['token first', 'list first'] as const).flatMap((order, n) => {
      const { fields, body: parts } = withToken('[token]', order);
      const from = { From: `<sip:somebody@elsewhere.invalid>;tag=${tagOf(`t${n}`)}` };
      return [
        ...(n === 0 ? [remember('entry')] : []),
        send({ fields: { ...fields, ...from }, body: parts }),
        accepted(),
        notify(active, cseq(`cseq${n}`), ...told(`new${n}`)),
        ok,
        ...ended(`cseq${n}`, { ...from, 'P-Asserted-Identity': undefined }),
      ];
    }),
  },
  {
    name: 'open-client',
    clause: 'TS 24.481 6.3.13.2.1',
    proves:
      'the SUBSCRIBE of a client as deployed: `byGroup` for `byGroupID`, P-Preferred-Service, ICSI in Contact and Accept-Contact, mcptt-info first; `sel` repeats what was subscribed; it leaves without a body',
    keys: ['token', 'group'],
    steps: (() => {
      const { fields, body: parts } = withToken('[token]', 'token first');
      const contact =
        '<sip:subscriber@[local_ip]:[local_port];transport=[transport]>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mcptt";+g.3gpp.mcptt';
      return [
        send({
          fields: {
            ...fields,
            Contact: contact,
            'P-Preferred-Service': 'urn:urn-7:3gpp-service.ims.icsi.mcptt',
            'Accept-Contact': '*;+g.3gpp.mcptt;require;explicit',
            Supported: 'gruu, eventlist',
          },
          body: parts.replace('[entry]', 'org.openmobilealliance.groups/global/byGroup/[group]'),
        }),
        accepted(),
        notify(
          active,
          cseq('cseq1'),
          body('<([A-Za-z]+:)?document [^>]*sel="org.openmobilealliance.groups/global/byGroup/'),
        ),
        ok,
        ...ended('cseq1', { Contact: contact, 'P-Asserted-Identity': undefined, Accept: undefined }),
      ];
    })(),
  },
  {
    name: 'somebody-else',
    clause: 'RFC 6665 6.2, RFC 5875 7',
    proves: 'a refresh with another identity is 403 and disturbs nothing',
    keys: ['stranger'],
    steps: [
      ...subscribed(),
      refresh({ fields: { 'P-Asserted-Identity': '<[stranger]>' } }),
      response(403),
      refresh(),
      response(200),
      notify(active, cseqAfter('cseq1', 'cseq2'), ...told('new2')),
      ok,
      ...ended('cseq2'),
    ],
  },
  {
    name: 'two-in-one-call',
    clause: 'RFC 6665 4.5, RFC 3261 12',
    proves: 'two subscriptions with one Call-ID are two dialogs: both are told, one ends, the other goes on',
    keys: ['change'],
    transport: 'tcp',
    steps: [
      remember('entry'),
      send({ body: list('[entry]') }),
      accepted('600', 'first_tag'),
      notify(active, ...told('new1')),
      ok,
      send({ fields: { From: moreFrom('u') }, body: list('[entry]') }),
      accepted('600', 'second_tag'),
      notify(active, cseq('cseq_second'), header('To', `(tag=[^;]+)`, 'us'), ...told('new2'), same('new1', 'new2')),
      ok,
      refresh({ fields: { Expires: '0' } }, 'first_tag'),
      response(200),
      notify(timedOut, header('From', 'tag=([^;]+)', 'them'), same('them', 'first_tag')),
      ok,
      run('change'),
      notify(
        active,
        header('From', 'tag=([^;]+)', 'them'),
        same('them', 'second_tag'),
        cseqAfter('cseq_second', 'cseq_change'),
        body('previous-etag='),
      ),
      ok,
      refresh({ fields: { Expires: '0', From: moreFrom('u') } }, 'second_tag'),
      response(200),
      notify(timedOut, header('From', 'tag=([^;]+)', 'them'), same('them', 'second_tag')),
      ok,
    ],
  },
  {
    name: 'one-at-a-time',
    clause: 'RFC 5875 4.7',
    proves:
      'while a NOTIFY is unanswered no other goes out in its dialog: two changes become one NOTIFY after the 200, its previous tag the one told before; a second subscription sees both changes meanwhile',
    keys: ['change'],
    transport: 'tcp',
    steps: [
      remember('entry'),
      send({ body: list('[entry]') }),
      accepted('600', 'first_tag'),
      notify(
        active,
        ...['Via', 'From', 'To', 'CSeq'].map((name) => header(name, '(.*)', `held_${name.toLowerCase()}`)),
        cseq('cseq1'),
        ...told('new1'),
      ),
      send({ fields: { From: moreFrom('u') }, body: list('[entry]') }),
      accepted('600', 'second_tag'),
      notify(active, ...told('new2')),
      ok,
      run('change'),
      notify(header('From', 'tag=([^;]+)', 'them'), same('them', 'second_tag'), body('previous-etag=')),
      ok,
      run('change'),
      notify(
        header('From', 'tag=([^;]+)', 'them'),
        same('them', 'second_tag'),
        body('previous-etag='),
        body('new-etag="([^"]+)"', 'last'),
      ),
      ok,
      raw(`<send><![CDATA[
SIP/2.0 200 OK
Via:[$held_via]
From:[$held_from]
To:[$held_to]
Call-ID: [call_id]
CSeq:[$held_cseq]
Content-Length: 0

]]></send>`),
      notify(
        header('From', 'tag=([^;]+)', 'them'),
        same('them', 'first_tag'),
        cseqAfter('cseq1', 'cseq2'),
        body('previous-etag="([^"]+)"', 'previous2'),
        same('previous2', 'new1'),
        body('new-etag="([^"]+)"', 'new3'),
        same('new3', 'last'),
        noBody('sel=.*sel='),
      ),
      ok,
      refresh({ fields: { Expires: '0' } }, 'first_tag'),
      response(200),
      notify(timedOut),
      ok,
      refresh({ fields: { Expires: '0', From: moreFrom('u') } }, 'second_tag'),
      response(200),
      notify(timedOut),
      ok,
    ],
  },
  {
    name: 'refused-notify',
    clause: 'RFC 6665 4.2.2, RFC 5875 4.7',
    proves:
      'a NOTIFY answered 404, 405, 408, 410, 416, 480 to 485, 489, 501 or 604 ends the subscription, with Retry-After or without: a refresh is 481',
    steps: [
      remember('entry'),
      ...endings.flatMap(([status, ...more], n) => {
        const fields = { From: moreFrom(`s${n}`) };
        return [
          send({ fields, body: list('[entry]') }),
          accepted('600', `tag${n}`),
          notify(active, ...told('new')),
          answer(status, ...more),
          refresh({ fields }, `tag${n}`),
          response(481),
        ];
      }),
    ],
  },
  {
    name: 'unanswered-notify',
    clause: 'RFC 5875 4.7, RFC 3261 17.1.2.2',
    proves:
      'a NOTIFY that nobody answers ends the subscription when Timer F (64*T1) fires: refreshes are 481 from then on',
    transport: 'tcp',
    steps: [
      remember('entry'),
      send({ body: list('[entry]') }),
      accepted(),
      notify(active, ...told('new1')),
      raw('<label id="1"/>'),
      refresh(),
      receive('response="481" optional="true" next="2" timeout="10000"'),
      response(200),
      raw('<pause milliseconds="250"/>'),
      raw('<nop next="1"/>'),
      raw('<label id="2"/>'),
    ],
  },
  {
    name: 'retry-after',
    clause: 'RFC 6665 4.2.2, RFC 3261 21.5.4',
    proves: 'a NOTIFY answered 503 with Retry-After is told again after that time, and the subscription goes on',
    steps: [
      remember('entry'),
      send({ body: list('[entry]') }),
      accepted(),
      notify(active, cseq('cseq1'), ...told('new1')),
      answer('503 Service Unavailable', 'Retry-After: 1'),
      notify(active, cseqAfter('cseq1', 'cseq2', true), ...told('new2'), same('new1', 'new2')),
      ok,
      refresh(),
      response(200),
      notify(active, cseqAfter('cseq2', 'cseq3', true), ...told('new3')),
      ok,
      ...ended('cseq3'),
    ],
  },
];

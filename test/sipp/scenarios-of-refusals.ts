// Scenarios of what is refused, and how: RFC 3261 clause 8.2, RFC 6665 clause 4.2.1, RFC 5875 clause 7, TS 24.481 clause 6.3.13.
import { refused, type Scenario } from './scenario.ts';
import { header, list, raw, response, type Step, send } from './steps.ts';

/** A request of another method with the status that it must get. */
function other(
  method: string,
  status: number,
  ...rest: Parameters<typeof response> extends [number, ...infer C] ? C : never
): readonly Step[] {
  return [send({ method }), response(status, ...rest)];
}

const allow = header('Allow', 'SUBSCRIBE');
const mcpttInfo = (token: string): string =>
  `<mcpttinfo xmlns="urn:3gpp:ns:mcpttInfo:1.0"><mcptt-Params><mcptt-access-token type="Normal"><mcpttString>${token}</mcpttString></mcptt-access-token></mcptt-Params></mcpttinfo>`;

/** multipart/mixed with an mcptt-info that carries the token and the list, in either order. */
export function withToken(
  token: string,
  order: 'token first' | 'list first',
): { fields: Record<string, string | undefined>; body: string } {
  const info = `Content-Type: application/vnd.3gpp.mcptt-info+xml\n\n${mcpttInfo(token)}`;
  const resources = `Content-Type: application/resource-lists+xml\n\n${list('[entry]')}`;
  const parts = order === 'token first' ? [info, resources] : [resources, info];
  return {
    fields: { 'Content-Type': 'multipart/mixed;boundary=part', 'P-Asserted-Identity': undefined },
    body: `${parts.map((part) => `--part\n${part}\n`).join('')}--part--\n`,
  };
}

/** Scenarios of refusals. */
export const refusalScenarios: readonly Scenario[] = [
  {
    name: 'not-authorised',
    clause: 'RFC 5875 7',
    proves: 'a SUBSCRIBE without identity: 403',
    steps: refused(403, { 'P-Asserted-Identity': undefined }),
  },
  {
    name: 'wrong-token',
    clause: 'TS 24.481 6.3.13.3.2.2',
    proves: 'an access token in mcptt-info that cannot be verified: 403, although an identity is asserted',
    steps: [
      (() => {
        const { fields, body } = withToken('e30.e30.e30', 'token first');
        return send({ fields: { ...fields, 'P-Asserted-Identity': '<[identity]>' }, body });
      })(),
      response(403),
    ],
  },
  {
    name: 'none-servable',
    clause: 'RFC 5875 7',
    proves: 'a list in which nothing can ever be served: 403',
    steps: [
      send({ body: list('https://elsewhere.invalid/xcap-root/[entry]', 'no-such-auid/global/index') }),
      response(403),
    ],
  },
  {
    name: 'bad-event',
    clause: 'RFC 6665 4.2.1, 7.2',
    proves: 'another event package, or none: 489 with `Allow-Events`',
    steps: [
      ...refused(489, { Event: 'presence' }, header('Allow-Events', 'xcap-diff')),
      ...refused(489, { Event: undefined }, header('Allow-Events', 'xcap-diff')),
    ],
  },
  {
    name: 'interval-too-brief',
    clause: 'RFC 6665 4.2.1.1',
    proves: '`Expires: 1`: 423 with `Min-Expires`',
    steps: refused(423, { Expires: '1' }, header('Min-Expires', '^ *[1-9][0-9]*$')),
  },
  {
    name: 'not-acceptable',
    clause: 'RFC 5875 4.4, RFC 6665 4.1.2.1',
    proves: 'an Accept without `application/xcap-diff+xml`: 406',
    steps: refused(406, { Accept: 'application/pidf+xml' }),
  },
  {
    name: 'unsupported-body',
    clause: 'RFC 3261 8.2.3',
    proves: 'another body type: 415 with `Accept`; an unknown content coding: 415 with `Accept-Encoding`',
    steps: [
      ...refused(415, { 'Content-Type': 'application/pidf+xml' }, header('Accept', 'application/resource-lists\\+xml')),
      ...refused(415, { 'Content-Encoding': 'x-unknown' }, header('Accept-Encoding', '[a-z]')),
    ],
  },
  {
    name: 'bad-extension',
    clause: 'RFC 3261 8.2.2.3',
    proves: '`Require` of an unknown extension: 420 with `Unsupported` that names it',
    steps: refused(420, { Require: 'gruu, x-unknown' }, header('Unsupported', '^ *x-unknown *$')),
  },
  {
    name: 'unsupported-scheme',
    clause: 'RFC 3261 8.2.2.1, RFC 4475 3.3.2',
    proves: 'a Request-URI whose scheme is none of ours: 416',
    steps: [
      send({ uri: 'nobodyKnowsThisScheme:opaque', body: list('[entry]') }),
      response(416),
      send({ uri: 'tel:+358555', body: list('[entry]') }),
      response(416),
    ],
  },
  {
    name: 'unknown-uri',
    clause: 'RFC 3261 8.2.2.1',
    proves: 'a Request-URI that is not this server: 404',
    steps: [send({ uri: 'sip:nobody-at-all@elsewhere.invalid', body: list('[entry]') }), response(404)],
  },
  {
    name: 'bad-request',
    clause: 'RFC 3261 8.1.1.8, 20, RFC 5875 4.4',
    proves: 'no Contact, an Expires that is no number, an XML body that does not parse, no list at all: 400',
    steps: [
      ...refused(400, { Contact: undefined }),
      ...refused(400, { Expires: 'soon' }),
      send({ body: '<resource-lists' }),
      response(400),
      send(),
      response(400),
    ],
  },
  {
    name: 'bad-version',
    clause: 'RFC 3261 21.5.6, RFC 4475 3.1.2.16',
    proves: 'a request of another version of SIP: 505',
    steps: [send({ method: 'OPTIONS', version: 'SIP/7.0' }), response(505)],
  },
  {
    name: 'methods',
    clause: 'RFC 3261 8.2.1, 21.5.2',
    proves: 'methods that it does not take: 405 with `Allow`, INVITE among them; one that nobody knows: 501',
    steps: [
      ...other('MESSAGE', 405, allow),
      ...other('PUBLISH', 405, allow),
      ...other('REGISTER', 405, allow),
      ...other('INFO', 405, allow),
      ...other('NEWMETHOD', 501),
      send({
        method: 'INVITE',
        fields: {
          CSeq: '90 INVITE',
          Via: 'SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-invite',
        },
      }),
      raw('<recv response="100" optional="true"/>'),
      response(405, allow, header('To', '(tag=.*)', 'invite_tag')),
      send({
        method: 'ACK',
        retransmit: false,
        fields: {
          CSeq: '90 ACK',
          Via: 'SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-invite',
          To: '<[psi]>;[$invite_tag]',
          Contact: undefined,
        },
      }),
    ],
  },
  {
    name: 'options',
    clause: 'RFC 3261 11.2, RFC 6665 4.4.4',
    proves: 'OPTIONS: 200 with `Allow`, `Accept` and `Allow-Events`',
    steps: [
      ...other(
        'OPTIONS',
        200,
        allow,
        header('Accept', 'application/resource-lists\\+xml'),
        header('Allow-Events', 'xcap-diff'),
      ),
    ],
  },
  {
    name: 'last-hop',
    clause: 'RFC 3261 16.3, RFC 4475 3.3.11',
    proves: '`Max-Forwards: 0` does not keep the last hop from answering: it forwards nothing',
    steps: [send({ method: 'OPTIONS', fields: { 'Max-Forwards': '0' } }), response(200)],
  },
  {
    name: 'no-dialog',
    clause: 'RFC 3261 12.2.2, RFC 6665 4.1.3',
    proves: 'a SUBSCRIBE with the tag of a dialog that is not there, and a NOTIFY that nobody subscribed to: 481',
    steps: [
      ...refused(481, { To: '<[psi]>;tag=gone' }),
      send({
        method: 'NOTIFY',
        fields: { Event: 'xcap-diff', 'Subscription-State': 'active;expires=60', To: '<[psi]>;tag=gone' },
      }),
      response(481),
    ],
  },
];

// Steps that SIPp scenarios are made of: messages that are sent, messages that must come and what must be in them. A scenario is
// written once here and in scenarios-*.ts; the XML files, which need nothing of this, are made by `node test/sipp/write.ts`.

/** One regular expression over a received message. */
export interface Check {
  readonly xml: string;
  readonly variables: readonly string[];
}

/** One element of a scenario, with the variables that it sets. */
export interface Step {
  readonly xml: string;
  readonly variables: readonly string[];
}

/** What a request says other than usual; undefined leaves a header field out. */
export interface RequestOptions {
  readonly method?: string;
  readonly uri?: string;
  readonly version?: string;
  /** Header fields beside or instead of the usual ones. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** More header fields as they are, for names that occur twice or are spelt otherwise. */
  readonly lines?: readonly string[];
  readonly body?: string;
  readonly retransmit?: boolean;
}

const recordedInDialog = 'to_tag';

/** Tag of the subscriber's dialog; another letter is another dialog with the same Call-ID. */
export const tagOf = (dialog: string): string => `[pid]${dialog}[call_number]`;

/** A resource list with these URIs. */
export function list(...uris: readonly string[]): string {
  const entries = uris.map((uri) => `<entry uri="${uri}"/>`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>${entries}</list></resource-lists>`;
}

/** A request, by default the initial SUBSCRIBE without body; `body` comes with the type of resource lists. */
export function send(options: RequestOptions = {}): Step {
  const retransmission = options.retransmit === false ? '' : ' retrans="500"';
  return { xml: `  <send${retransmission}><![CDATA[\n${requestText(options)}\n]]></send>`, variables: [] };
}

/** The text of a request, as SIPp is given it. */
export function requestText(options: RequestOptions = {}): string {
  const { method = 'SUBSCRIBE', uri = '[psi]', version = 'SIP/2.0', fields = {}, lines = [], body = '' } = options;
  const subscribes = method === 'SUBSCRIBE';
  const usual: Readonly<Record<string, string | undefined>> = {
    Via: 'SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
    'Max-Forwards': '70',
    From: `<[identity]>;tag=${tagOf('t')}`,
    To: '<[psi]>',
    'Call-ID': '[call_id]',
    CSeq: `[cseq] ${method}`,
    Contact: '<sip:subscriber@[local_ip]:[local_port];transport=[transport]>',
    'P-Asserted-Identity': '<[identity]>',
    Event: subscribes ? 'xcap-diff' : undefined,
    Accept: subscribes ? 'application/xcap-diff+xml' : undefined,
    Expires: subscribes ? '600' : undefined,
    'Content-Type': body === '' ? undefined : 'application/resource-lists+xml',
    'Content-Length': '[len]',
    ...fields,
  };
  // Content-Length stays last: it is what a reader looks for
  const names = [...Object.keys(usual).filter((name) => name !== 'Content-Length'), 'Content-Length'];
  const head = names.flatMap((name) => (usual[name] === undefined ? [] : [`${name}: ${usual[name]}`]));
  return [`${method} ${uri} ${version}`, ...head.slice(0, -1), ...lines, ...head.slice(-1), '', body].join('\n');
}

/** A SUBSCRIBE inside the dialog whose tag was recorded; without body unless one is given. */
export function refresh(options: RequestOptions = {}, tag = recordedInDialog): Step {
  return send({ ...options, fields: { To: `<[psi]>;tag=[$${tag}]`, ...options.fields } });
}

/** A response to the request that came last: a status and further header fields. */
export function answer(status: string, ...lines: readonly string[]): Step {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `[last_${name}:]`);
  const text = [`SIP/2.0 ${status}`, ...copied, ...lines, 'Content-Length: 0'].join('\n');
  return { xml: `  <send><![CDATA[\n${text}\n\n]]></send>`, variables: [] };
}

/** The response that must come. */
export function response(status: number, ...checks: readonly Check[]): Step {
  return receive(`response="${status}" timeout="10000"`, checks);
}

/** The NOTIFY that must come, of our package. */
export function notify(...checks: readonly Check[]): Step {
  return receive('request="NOTIFY" timeout="15000"', [header('Event', '^ *xcap-diff'), ...checks]);
}

/** A request or response that may come, and the label where the scenario goes on then. */
export function receive(attributes: string, checks: readonly Check[] = []): Step {
  if (checks.length === 0) return { xml: `  <recv ${attributes}/>`, variables: [] };
  const actions = checks.map(({ xml }) => `      ${xml.replaceAll('\n', '\n      ')}`).join('\n');
  return {
    xml: `  <recv ${attributes}>\n    <action>\n${actions}\n    </action>\n  </recv>`,
    variables: checks.flatMap(({ variables }) => variables),
  };
}

/** A shell command that the caller of SIPp gives as the key of this name. SIPp does not wait for its end. */
export function run(command: string): Step {
  return { xml: `  <nop>\n    <action>\n      <exec command="[${command}]"/>\n    </action>\n  </nop>`, variables: [] };
}

/** A key's value as a variable, to be compared with. */
export function remember(key: string): Step {
  return {
    xml: `  <nop>\n    <action>\n      <assignstr assign_to="${key}" value="[${key}]"/>\n    </action>\n  </nop>`,
    variables: [key],
  };
}

/** Any element as it is. */
export function raw(xml: string): Step {
  return { xml: `  ${xml}`, variables: [] };
}

function expression(where: string, regexp: string, more: string, variable?: string): Check {
  const assigned = variable === undefined ? 'ignored' : `ignored,${variable}`;
  return {
    xml: `<ereg regexp="${escaped(regexp)}" ${where} ${more} assign_to="${assigned}"/>`,
    variables: variable === undefined ? ['ignored'] : ['ignored', variable],
  };
}

/** A header field that must match; the first group becomes the variable. */
export function header(name: string, regexp: string, variable?: string): Check {
  return expression(`search_in="hdr" header="${name}:"`, regexp, 'check_it="true"', variable);
}

/** The body must match; the first group becomes the variable. */
export function body(regexp: string, variable?: string): Check {
  return expression('search_in="body"', regexp, 'check_it="true"', variable);
}

/** Nothing in the body may match. */
export function noBody(regexp: string): Check {
  return expression('search_in="body"', regexp, 'check_it_inverse="true"');
}

/** The whole message must match. */
export function message(regexp: string, variable?: string): Check {
  return expression('search_in="msg"', regexp, 'check_it="true"', variable);
}

/** Nothing in the whole message may match. */
export function noMessage(regexp: string): Check {
  return expression('search_in="msg"', regexp, 'check_it_inverse="true"');
}

/** Two variables must hold the same text. SIPp leaves the result of comparing equal texts unset, so an empty one is good. */
export function same(one: string, other: string): Check {
  return {
    xml: [
      `<strcmp assign_to="difference" variable="${one}" variable2="${other}"/>`,
      '<assignstr assign_to="answer" value="[$difference]"/>',
      '<ereg regexp="^(0\\.0*)?$" search_in="var" variable="answer" check_it="true" assign_to="ignored"/>',
    ].join('\n'),
    variables: ['difference', 'answer', 'ignored'],
  };
}

/** Two variables must hold different texts. */
export function different(one: string, other: string): Check {
  return {
    xml: [
      `<strcmp assign_to="difference" variable="${one}" variable2="${other}"/>`,
      '<assignstr assign_to="answer" value="[$difference]"/>',
      '<ereg regexp="[1-9]" search_in="var" variable="answer" check_it="true" assign_to="ignored"/>',
    ].join('\n'),
    variables: ['difference', 'answer', 'ignored'],
  };
}

/** Keeps the number of CSeq as a variable. */
export function cseq(variable: string): Check {
  return {
    xml: `<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" check_it="true" assign_to="${variable}"/>`,
    variables: [variable],
  };
}

/** CSeq of this message is the variable's plus one; with `orMore`, any higher one. */
export function cseqAfter(before: string, now: string, orMore = false): Check {
  const kept = cseq(now);
  return {
    xml: [
      kept.xml,
      `<todouble assign_to="after" variable="${now}"/>`,
      `<todouble assign_to="before" variable="${before}"/>`,
      '<assign assign_to="step" variable="after"/>',
      '<subtract assign_to="step" variable="before"/>',
      '<assignstr assign_to="answer" value="[$step]"/>',
      `<ereg regexp="${orMore ? '^[1-9][0-9]*\\.0*$' : '^1\\.0*$'}" search_in="var" variable="answer" check_it="true" assign_to="ignored"/>`,
    ].join('\n'),
    variables: [...kept.variables, 'after', 'before', 'step', 'answer', 'ignored'],
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

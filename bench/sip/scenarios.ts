// SIPp scenarios of the SIP measurement, written for both servers from the same steps, so that each is asked the same exchange.

/** What differs between the servers in a SUBSCRIBE. Texts of SIPp: keywords in brackets are filled in by it. */
export interface SubscriptionKind {
  /** Request-URI and To. */
  readonly uri: string;
  /** Header lines beyond those of every SUBSCRIBE. */
  readonly headers: readonly string[];
  /** Body of the first SUBSCRIBE, '' for none. */
  readonly body: string;
}

const answer = `<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`;

const keepTarget = `<action>
  <ereg regexp="tag=([^;]+)" search_in="hdr" header="To:" check_it="true" assign_to="ignored,tag"/>
  <ereg regexp="sip:[^&gt;]+" search_in="hdr" header="Contact:" check_it="true" assign_to="target"/>
</action>`;

/** (a) SUBSCRIBE, 200, NOTIFY, 200; the subscription stays. */
export function subscribeScenario(kind: SubscriptionKind): string {
  return scenario('subscribe', [...subscribed(kind, '')]);
}

/** (b) SUBSCRIBE, NOTIFY, refresh, NOTIFY, unsubscribe, last NOTIFY. */
export function lifeCycleScenario(kind: SubscriptionKind): string {
  return scenario('life cycle', [
    ...subscribed(kind, keepTarget),
    inDialog(kind, 2, '[expires]'),
    '<recv response="200" timeout="30000"/>',
    notify('active'),
    answer,
    inDialog(kind, 3, '0'),
    '<recv response="200" timeout="30000"/>',
    notify('terminated'),
    answer,
    '<Reference variables="ignored,tag,target"/>',
  ]);
}

/**
 * (c) SUBSCRIBE, NOTIFY, then one NOTIFY for each change. Each line of SIPp's log is `up` or `told` and the time, a tab between its
 * parts. Who is refused for overload comes back: the crowd is to be complete.
 */
export function fanOutScenario(kind: SubscriptionKind, changes: number): string {
  const change = ['<recv request="NOTIFY" timeout="600000"/>', answer, logged('told')];
  return scenario('fan-out', [
    '<label id="start"/>',
    '<nop><action><add assign_to="tries" value="1"/></action></nop>',
    // SIPp writes the same branch each time it comes by, which would be the same transaction (RFC 3261 17.2.3)
    subscribe(kind).replace('[branch]', '[branch].[$tries]'),
    '<recv response="503" optional="true" next="later"/>',
    '<recv response="200" timeout="30000"/>',
    '<recv request="NOTIFY" timeout="30000"/>',
    answer,
    logged('up'),
    ...Array.from({ length: changes }, () => change).flat(),
    '<nop next="end"/>\n<label id="later"/>\n<pause milliseconds="5000"/>\n<nop next="start"/>',
    '<label id="end"/>\n<nop/>',
  ]);
}

function logged(word: string): string {
  return `<nop><action><log message="${word}\t[timestamp]"/></action></nop>`;
}

/** (d) Like (a), but a 503 with Retry-After is an answer too; it counts as shed. Any other refusal fails the call. */
export function overloadScenario(kind: SubscriptionKind): string {
  return scenario('overload', [
    subscribe(kind),
    `<recv response="503" optional="true" next="shed"><action>
  <ereg regexp="[1-9][0-9]*" search_in="hdr" header="Retry-After:" check_it="true" assign_to="ignored"/>
</action></recv>`,
    '<recv response="200" rtd="true" timeout="30000"/>',
    notify('active'),
    answer.replace('<send>', '<send next="end" counter="served">'),
    '<label id="shed"/>\n<nop counter="shed"/>\n<label id="end"/>\n<nop/>',
    '<Reference variables="ignored"/>',
  ]);
}

function scenario(name: string, steps: readonly string[]): string {
  const head = `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n`;
  return `${head}${steps.join('\n')}\n</scenario>\n`;
}

function subscribed(kind: SubscriptionKind, action: string): readonly string[] {
  return [
    subscribe(kind),
    `<recv response="200" rtd="true" timeout="30000">${action}</recv>`,
    '<recv request="NOTIFY" timeout="30000"/>',
    answer,
  ];
}

function notify(state: string): string {
  return `<recv request="NOTIFY" timeout="30000"><action>
  <ereg regexp="${state}" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="ignored"/>
</action></recv>`;
}

function subscribe({ uri, headers, body }: SubscriptionKind): string {
  return request([
    `SUBSCRIBE ${uri} SIP/2.0`,
    ...common('1', '[expires]'),
    `To: <${uri}>`,
    ...headers,
    ...(body === '' ? [] : ['Content-Type: application/resource-lists+xml']),
    'Content-Length: [len]',
    '',
    body,
  ]);
}

function inDialog({ uri, headers }: SubscriptionKind, cseq: number, expires: string): string {
  return request([
    'SUBSCRIBE [$target] SIP/2.0',
    ...common(String(cseq), expires),
    `To: <${uri}>;tag=[$tag]`,
    ...headers,
    'Content-Length: 0',
    '',
    '',
  ]);
}

function common(cseq: string, expires: string): readonly string[] {
  return [
    'Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]',
    'Max-Forwards: 70',
    'From: <[identity]>;tag=[pid]t[call_number]',
    'Call-ID: [call_id]',
    `CSeq: ${cseq} SUBSCRIBE`,
    'Contact: <sip:subscriber@[local_ip]:[local_port]>',
    `Expires: ${expires}`,
  ];
}

function request(lines: readonly string[]): string {
  return `<send retrans="500"><![CDATA[\n${lines.join('\n')}\n]]></send>`;
}

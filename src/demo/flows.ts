// Flows A and B as an outsider plays and checks them: every claim is read off the wire or off a face of one of the two systems.
import { border, type ExampleGroup, harbour, jointFlood } from './example-groups.ts';
import { byGroupId, manage, xcap } from './faces.ts';
import type { Ladder } from './ladder.ts';
import type { Notification, NotifiedDocument } from './mc-service-server.ts';
import type { Observations } from './observations.ts';
import type { RunningSystem } from './systems.ts';
import type { Exchange } from './wire-tap.ts';

/** Everything the flows play with and look at. */
export interface Stage {
  readonly red: RunningSystem;
  readonly blue: RunningSystem;
  readonly ladder: Ladder;
  /** What crossed CSC-16 from red to blue, and from blue to red. */
  readonly redToBlue: Observations<Exchange>;
  readonly blueToRed: Observations<Exchange>;
  /** What blue's MC service server was notified of. */
  readonly notifications: Observations<Notification>;
}

/** A claim of the demo that did not hold. */
class DemoFailure extends Error {}

const redAdministrator = 'sip:admin@red.example';
const blueServer = 'sip:mcptt@blue.example';
const creationXui = 'sip:groups@red.example';

/** Flow A: red, the primary, provides two groups to blue, its partner. */
export async function playFlowA(stage: Stage): Promise<void> {
  stage.ladder.heading(
    'Flow A, TS 23.280 clause 10.2.7: the primary MC system provides group configuration to the partner',
  );
  for (const group of [await harbour(), await jointFlood()]) await provide(stage, group);
}

async function provide(stage: Stage, { groupId, document }: ExampleGroup): Promise<void> {
  const { ladder } = stage;
  const from = stage.redToBlue.length;
  const notified = stage.notifications.length;
  await putAtPrimary(stage, groupId, document, 201);

  const exchange = await stage.redToBlue.first(
    from,
    isRequest('PUT', groupId),
    `the PUT of ${groupId} from red to blue`,
  );
  ladder.message('provide 1', 'red GMS', 'blue GMS', exchange.request.startLine);
  claim(
    exchange.request.headers.get('x-3gpp-asserted-identity')?.includes('sip:gms@red.example') === true,
    'red asserts its own GMS identity on CSC-16',
  );
  claim(
    statusOf(exchange) === 201,
    `blue answers 201 to a group that is new to it (was: ${exchange.response.startLine})`,
  );
  ladder.message(
    'provide 5',
    'blue GMS',
    'red GMS',
    `${exchange.response.startLine}  ETag: ${exchange.response.headers.get('etag')}`,
  );

  const served = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  claim(served.status === 200, `blue serves ${groupId} to its MC service server (was: ${served.status})`);
  checkPolicy(exchange.request.body, served.body);
  ladder.claim('provide 2', 'blue applied its policy: priorities at most 100, no MCVideo, all else untouched');
  checkListed(await manage(stage.blue.manageUrl, stage.blue.manageToken, 'groups'), groupId, served.tag);
  ladder.claim('provide 3', `blue stored it: GET answers 200, ETag "${served.tag}", and lists it as a group of red`);

  const told = await nextNotified(stage, notified, groupId);
  ladder.message('provide 4', 'blue GMS', 'blue MC server', notifyLine(told));
  claim(told.document.newTag === served.tag, 'the NOTIFY carries the tag that XCAP serves');
  claim(told.document.previousTag === undefined, 'the NOTIFY tells a group that is new');
}

/** Flow B: blue, the partner, requests a group that it has not stored. */
export async function playFlowB(stage: Stage): Promise<void> {
  const { ladder } = stage;
  ladder.heading(
    'Flow B, TS 23.280 clause 10.2.7: the partner MC system requests group configuration from the primary',
  );
  const { groupId, document } = await border();
  const provided = stage.redToBlue.length;
  await putAtPrimary(stage, groupId, document, 201);
  const from = stage.blueToRed.length;
  const notified = stage.notifications.length;

  const answer = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  ladder.message('request 1', 'blue MC server', 'blue GMS', `GET /xcap-root/${byGroupId(groupId)} HTTP/1.1`);
  const exchange = await stage.blueToRed.first(
    from,
    isRequest('GET', groupId),
    `the GET of ${groupId} from blue to red`,
  );
  ladder.message('request 2', 'blue GMS', 'red GMS', exchange.request.startLine);
  claim(statusOf(exchange) === 200, `red gives the group (was: ${exchange.response.startLine})`);
  ladder.message(
    'request 3',
    'red GMS',
    'blue GMS',
    `${exchange.response.startLine}  ETag: ${exchange.response.headers.get('etag')}`,
  );
  claim(answer.status === 200, `blue answers 200 to its MC service server (was: ${answer.status})`);
  checkPolicy(exchange.response.body, answer.body);
  ladder.claim('request 4', 'blue applied its policy, and red kept its off-network parameters at home');
  claim(
    !exchange.response.body.includes('off-network-ProSe'),
    'the outbound policy of red withholds off-network parameters',
  );
  claim(answer.body.includes('some-element-of-a-later-release'), 'elements of later releases survive');
  const again = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  claim(again.tag === answer.tag && again.body === answer.body, 'a second GET answers the same document');
  claim(
    stage.blueToRed.since(from, isRequest('GET', groupId)).length === 1,
    'the second GET is answered from the store',
  );
  ladder.claim('request 5', `blue stored it: a second GET is answered from the store, ETag "${again.tag}"`);
  const told = await nextNotified(stage, notified, groupId);
  ladder.message('request 6', 'blue GMS', 'blue MC server', notifyLine(told));
  claim(told.document.newTag === answer.tag, 'the NOTIFY carries the tag that XCAP serves');
  claim(
    stage.redToBlue.since(provided, isRequest('PUT', groupId)).length === 0,
    'red does not provide a group that blue may only request',
  );
}

/** A member's reading, a change, a refusal and a deletion. */
export async function playAftermath(stage: Stage): Promise<void> {
  await readAsMember(stage);
  await change(stage);
  await refusal(stage);
  await deletion(stage);
}

async function readAsMember(stage: Stage): Promise<void> {
  const { groupId } = await harbour();
  stage.ladder.heading('Members of blue read the group at their own GMS');
  const member = await xcap(stage.blue.xcapRoot, {
    method: 'GET',
    path: byGroupId(groupId),
    identity: 'sip:omar@blue.example',
  });
  stage.ladder.message('', 'omar@blue', 'blue GMS', `GET /xcap-root/${byGroupId(groupId)}  ->  ${member.status}`);
  claim(member.status === 200, `a member reads the group at its own GMS (was: ${member.status})`);
  const stranger = await xcap(stage.blue.xcapRoot, {
    method: 'GET',
    path: byGroupId(groupId),
    identity: 'sip:eve@blue.example',
  });
  stage.ladder.message('', 'eve@blue', 'blue GMS', `GET /xcap-root/${byGroupId(groupId)}  ->  ${stranger.status}`);
  claim(stranger.status === 403 || stranger.status === 404, `a stranger does not (was: ${stranger.status})`);
}

async function change(stage: Stage): Promise<void> {
  const { groupId, document } = await harbour();
  stage.ladder.heading('A change at the primary');
  const before = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  const from = stage.redToBlue.length;
  const notified = stage.notifications.length;
  await putAtPrimary(stage, groupId, document.replace('Harbour patrol', 'Harbour and coast patrol'), 200);
  const exchange = await stage.redToBlue.first(from, isRequest('PUT', groupId), `the second PUT of ${groupId}`);
  stage.ladder.message('provide 1', 'red GMS', 'blue GMS', exchange.request.startLine);
  claim(
    statusOf(exchange) === 200,
    `blue answers 200 to a group that it replaces (was: ${exchange.response.startLine})`,
  );
  stage.ladder.message('provide 5', 'blue GMS', 'red GMS', exchange.response.startLine);
  const told = await nextNotified(stage, notified, groupId);
  stage.ladder.message('provide 4', 'blue GMS', 'blue MC server', notifyLine(told));
  const after = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  claim(after.body.includes('Harbour and coast patrol'), 'blue serves the changed group');
  claim(told.document.previousTag === before.tag, 'the NOTIFY names the tag told before');
  claim(told.document.newTag === after.tag, 'the NOTIFY carries the new tag');
  stage.ladder.claim('', `tags chain: "${before.tag}" then "${after.tag}"`);
}

async function refusal(stage: Stage): Promise<void> {
  const groupId = 'sip:internal-ops@red.example';
  stage.ladder.heading('A refusal: red never agreed to share this group');
  const { groupId: sample, document } = await harbour();
  const provided = stage.redToBlue.length;
  await putAtPrimary(stage, groupId, document.replaceAll(sample, groupId), 201);
  const from = stage.blueToRed.length;
  const notified = stage.notifications.length;
  const answer = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  const exchange = await stage.blueToRed.first(
    from,
    isRequest('GET', groupId),
    `the GET of ${groupId} from blue to red`,
  );
  stage.ladder.message('request 2', 'blue GMS', 'red GMS', exchange.request.startLine);
  stage.ladder.message('request 3', 'red GMS', 'blue GMS', exchange.response.startLine);
  const absent = await xcap(stage.blue.xcapRoot, {
    method: 'GET',
    path: byGroupId('sip:no-such-group@red.example'),
    identity: blueServer,
  });
  const absentExchange = await stage.blueToRed.first(
    from,
    isRequest('GET', 'sip:no-such-group@red.example'),
    'the GET of a group that does not exist',
  );
  claim(statusOf(exchange) === 404, `red answers 404 (was: ${exchange.response.startLine})`);
  claim(
    exchange.response.body === absentExchange.response.body && statusOf(absentExchange) === 404,
    'the answer does not tell whether the group exists',
  );
  claim(
    answer.status === 404 && absent.status === 404,
    `blue passes on that there is no such group (was: ${answer.status})`,
  );
  claim(stage.redToBlue.since(provided, isRequest('PUT', groupId)).length === 0, 'red does not provide it either');
  const groups = await manage(stage.blue.manageUrl, stage.blue.manageToken, 'groups');
  claim(findGroup(groups, groupId) === undefined, 'blue stored nothing');
  claim(
    stage.notifications.since(notified, (item) => documentOf(item, groupId) !== undefined).length === 0,
    'nobody was notified',
  );
  stage.ladder.claim('', 'refused as if it did not exist, nothing stored, nobody notified');
}

async function deletion(stage: Stage): Promise<void> {
  const { groupId } = await harbour();
  stage.ladder.heading('A deletion at the primary');
  const before = await xcap(stage.blue.xcapRoot, { method: 'GET', path: byGroupId(groupId), identity: blueServer });
  const from = stage.redToBlue.length;
  const notified = stage.notifications.length;
  const path = primaryPath(groupId);
  const deleted = await xcap(stage.red.xcapRoot, { method: 'DELETE', path, identity: redAdministrator });
  stage.ladder.message('', 'red administrator', 'red GMS', `DELETE /xcap-root/${path}  ->  ${deleted.status}`);
  claim(deleted.status === 200, `red deletes the group (was: ${deleted.status})`);
  const exchange = await stage.redToBlue.first(
    from,
    isRequest('DELETE', groupId),
    `the DELETE of ${groupId} from red to blue`,
  );
  stage.ladder.message('provide 1', 'red GMS', 'blue GMS', exchange.request.startLine);
  claim(statusOf(exchange) === 200, `blue answers 200 (was: ${exchange.response.startLine})`);
  stage.ladder.message('provide 5', 'blue GMS', 'red GMS', exchange.response.startLine);
  const told = await nextNotified(stage, notified, groupId);
  stage.ladder.message('provide 4', 'blue GMS', 'blue MC server', notifyLine(told));
  claim(told.document.newTag === undefined, 'a deletion has no new tag');
  claim(told.document.previousTag === before.tag, 'the NOTIFY names the tag that is gone');
  const gone = await xcap(stage.blue.xcapRoot, {
    method: 'GET',
    path: byGroupId(groupId),
    identity: 'sip:omar@blue.example',
  });
  claim(gone.status === 404, `blue serves it no more (was: ${gone.status})`);
  stage.ladder.claim('', 'gone at blue: GET answers 404');
}

function primaryPath(groupId: string): string {
  return `org.openmobilealliance.groups/users/${creationXui}/${groupId.replace(/^sip:|@.*$/g, '')}.xml`;
}

async function putAtPrimary(stage: Stage, groupId: string, document: string, expected: number): Promise<void> {
  const path = primaryPath(groupId);
  const answer = await xcap(stage.red.xcapRoot, { method: 'PUT', path, identity: redAdministrator, body: document });
  stage.ladder.message('', 'red administrator', 'red GMS', `PUT /xcap-root/${path}  ->  ${answer.status}`);
  claim(
    answer.status === expected,
    `red answers ${expected} to the administrator (was: ${answer.status} ${answer.body})`,
  );
}

function checkPolicy(source: string, served: string): void {
  const priorities = [...served.matchAll(/<(?:\w+:)?((?:mcvideo-|mcdata-)?on-network-group-priority)>(\d+)</g)];
  const regrouped = /<(\w+:)?on-network-regrouped[\s\S]*?<\/(\w+:)?on-network-regrouped>/.exec(served)?.[0] ?? '';
  const clamped = priorities.filter((match) => !regrouped.includes(match[0]));
  claim(clamped.length > 0 && clamped.every((match) => Number(match[2]) <= 100), 'every group priority is at most 100');
  claim(!/mcvideo/i.test(served), 'nothing of MCVideo is left');
  claim(/<(?:\w+:)?owner>/.test(served), 'what no rule names is still there');
  const members = (text: string): number => [...text.matchAll(/<(?:\w+:)?entry\s/g)].length;
  claim(members(source) === members(served), 'all members are still there');
}

function checkListed(groups: unknown, groupId: string, tag: string): void {
  const group = findGroup(groups, groupId);
  claim(group !== undefined, `the management API of blue lists ${groupId}`);
  claim(group?.partner === 'red' && group.tag === tag, 'as a group of red with the tag that is served');
}

interface ListedGroup {
  readonly groupId: string;
  readonly partner?: string;
  readonly tag?: string;
}

function findGroup(groups: unknown, groupId: string): ListedGroup | undefined {
  const list = (groups as { readonly groups?: readonly ListedGroup[] }).groups ?? [];
  return list.find((group) => group.groupId === groupId);
}

interface Told {
  readonly notification: Notification;
  readonly document: NotifiedDocument;
}

async function nextNotified(stage: Stage, from: number, groupId: string): Promise<Told> {
  const fits = (item: Notification): boolean => documentOf(item, groupId) !== undefined;
  const notification = await stage.notifications.first(from, fits, `the NOTIFY that tells ${groupId}`);
  const document = documentOf(notification, groupId);
  if (document === undefined) throw new DemoFailure(`the NOTIFY does not tell ${groupId}`);
  return { notification, document };
}

function documentOf(notification: Notification, groupId: string): NotifiedDocument | undefined {
  return notification.documents.find((document) => decodeURIComponent(document.sel).endsWith(`/byGroupID/${groupId}`));
}

function notifyLine({ notification, document }: Told): string {
  const tags = [
    document.previousTag === undefined ? '' : ` previous-etag="${document.previousTag}"`,
    document.newTag === undefined ? '' : ` new-etag="${document.newTag}"`,
  ].join('');
  return `NOTIFY  CSeq: ${notification.cseq}  <document sel="…${document.sel.slice(-32)}"${tags}/>`;
}

function isRequest(method: string, groupId: string): (exchange: Exchange) => boolean {
  return ({ request }) => {
    const [verb, target = ''] = request.startLine.split(' ');
    return verb === method && decodeURIComponent(target).endsWith(`/global/byGroupID/${groupId}`);
  };
}

function statusOf({ response }: Exchange): number {
  return Number(response.startLine.split(' ')[1]);
}

function claim(holds: boolean, sentence: string): void {
  if (!holds) throw new DemoFailure(sentence);
}

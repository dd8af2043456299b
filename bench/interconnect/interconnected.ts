// Two gateways under measurement, red (primary) and blue (partner), with an MC service server of blue that is subscribed to all groups.
import { example } from '../../src/demo/example-groups.ts';
import { type Answer, byGroupId, xcap } from '../../src/demo/faces.ts';
import { McServiceServer, type Notification } from '../../src/demo/mc-service-server.ts';
import { choosePorts, createCertificates, type RunningSystem, startSystem } from '../../src/demo/systems.ts';
import { treeSeconds } from '../support/process-time.ts';

export interface Interconnected {
  /** Creates or replaces a group `sip:NAME@red.example` at red; `turn` makes the content differ. Throws unless red stores it. */
  put(name: string, turn: number): Promise<void>;
  /** Asks blue for it as its MC service server. */
  get(name: string): Promise<Answer>;
  /** Resolves to the instant (performance.now) at which the MC service server gets the next NOTIFY of the group. */
  told(name: string): Promise<number>;
  /** User and system time of both gateways so far. */
  processorSeconds(): Promise<number>;
  close(): Promise<void>;
}

const collection = 'org.openmobilealliance.groups/global/byGroupID/';
/** Milliseconds without NOTIFY that fail the measurement. */
const patience = 30_000;

/** Starts both in `folder`: nothing between them, SIP over UDP, default limits and logging. */
export async function interconnected(folder: string): Promise<Interconnected> {
  await createCertificates(folder);
  const { red, blue } = await choosePorts('any');
  const ports = { red: { ...red, tap: red.interconnect }, blue: { ...blue, tap: blue.interconnect } };
  const closing: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  const waiting = new Map<string, (at: number) => void>();
  const hear = ({ documents }: Notification): void => {
    const now = performance.now();
    for (const { sel } of documents) {
      const groupId = decodeURIComponent(sel.slice(collection.length));
      waiting.get(groupId)?.(now);
      waiting.delete(groupId);
    }
  };
  try {
    const systems: RunningSystem[] = [];
    for (const name of ['blue', 'red'] as const) {
      const system = await startSystem(folder, name, ports);
      closing.push(() => system.stop());
      systems.push(system);
    }
    const server = new McServiceServer({
      identity: 'sip:mcptt@blue.example',
      gms: 'sip:gms@blue.example',
      server: { host: '127.0.0.1', port: blue.sip },
      resources: [collection],
      onNotification: hear,
    });
    closing.push(() => server.close());
    const status = await server.subscribe(3600);
    if (!status.startsWith('SIP/2.0 200')) throw new Error(`the subscription was refused: ${status}`);
    const { groupId: exampleId, document } = await example('harbour-tg1.xml', 'sip:harbour-tg1@red.example');
    const root = (port: number): string => `http://127.0.0.1:${port}/xcap-root`;
    return {
      async put(name, turn) {
        const { status, body } = await xcap(root(red.xcap), {
          method: 'PUT',
          path: `org.openmobilealliance.groups/users/sip:groups@red.example/${name}.xml`,
          identity: 'sip:admin@red.example',
          body: document.replaceAll(exampleId, `sip:${name}@red.example`).replace('Harbour patrol', `Patrol ${turn}`),
        });
        if (status >= 300) throw new Error(`red answers ${status} to the write of ${name}: ${body}`);
      },
      get: (name) =>
        xcap(root(blue.xcap), {
          method: 'GET',
          path: byGroupId(`sip:${name}@red.example`),
          identity: 'sip:mcptt@blue.example',
        }),
      told: (name) =>
        new Promise((resolve, reject) => {
          const late = setTimeout(() => reject(new Error(`no NOTIFY of ${name}`)), patience);
          waiting.set(`sip:${name}@red.example`, (at) => {
            clearTimeout(late);
            resolve(at);
          });
        }),
      processorSeconds: () => treeSeconds(systems.map(({ pid }) => pid)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

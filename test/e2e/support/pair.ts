// Two real gateways, red (primary) and blue (partner), with relays on everything that passes between them and an MC service server of
// blue that is subscribed to all groups.

import { example } from '../../../src/demo/example-groups.ts';
import { type Answer, byGroupId, manage, xcap } from '../../../src/demo/faces.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  keyPair,
  labCa,
  type RunningSystem,
  type SystemConfiguration,
  type SystemName,
  type SystemPorts,
  startSystem,
} from '../../../src/demo/systems.ts';
import type { Traffic } from './csc16-relay.ts';
import { Csc16Relay } from './csc16-relay.ts';
import { Listener } from './listener.ts';
import { SipRelay } from './sip-relay.ts';

export interface PairOptions {
  /** Makes what is written of the configuration the pair comes with; called again at each restart. */
  readonly change?: (name: SystemName, configuration: SystemConfiguration) => SystemConfiguration;
}

/** What the management API tells of a group. */
export interface ListedGroup {
  readonly groupId: string;
  readonly tag?: string;
  readonly sourceTag?: string;
  readonly staleSince?: string;
  readonly partner?: string;
}

/** What the management API tells of a delivery. */
export interface ListedDelivery {
  readonly groupId: string;
  readonly state: string;
  readonly action: string;
  readonly attempts: number;
  readonly outcome?: string;
}

const users = 'org.openmobilealliance.groups/users/sip:groups@red.example';

export class Pair {
  readonly folder: string;
  readonly ports: Readonly<Record<SystemName, SystemPorts>>;
  /** Requests of red to blue, and of blue to red. */
  readonly towards: Readonly<Record<SystemName, Csc16Relay>>;
  readonly sip: SipRelay;
  readonly #change: PairOptions['change'];
  readonly #systems: Partial<Record<SystemName, RunningSystem>> = {};
  readonly #closing: (() => unknown)[];
  #document = '';

  private constructor(
    folder: string,
    ports: Readonly<Record<SystemName, SystemPorts>>,
    towards: Readonly<Record<SystemName, Csc16Relay>>,
    sip: SipRelay,
    change: PairOptions['change'],
    closing: (() => unknown)[],
  ) {
    this.folder = folder;
    this.ports = ports;
    this.towards = towards;
    this.sip = sip;
    this.#change = change;
    this.#closing = closing;
  }

  /** Starts both. */
  static async start({ change }: PairOptions = {}): Promise<Pair> {
    const closing: (() => unknown)[] = [];
    try {
      const folder = await demoFolder();
      closing.push(() => folder.remove());
      await createCertificates(folder.path);
      const ports = await choosePorts('any');
      const relayTo = async (called: SystemName): Promise<Csc16Relay> => {
        const caller = called === 'red' ? 'blue' : 'red';
        const ca = await labCa(folder.path);
        const relay = await Csc16Relay.open({
          port: ports[called].tap,
          asServer: { ca, ...(await keyPair(folder.path, called)) },
          asClient: { ca, ...(await keyPair(folder.path, caller)) },
          target: ports[called].interconnect,
        });
        closing.push(() => relay.close());
        return relay;
      };
      const towards = { red: await relayTo('red'), blue: await relayTo('blue') };
      const sip = await SipRelay.open({
        red: { host: '127.0.0.1', port: ports.red.sip },
        blue: { host: '127.0.0.1', port: ports.blue.sip },
      });
      closing.push(() => sip.close());
      const pair = new Pair(folder.path, ports, towards, sip, change, closing);
      pair.#document = (await example('harbour-tg1.xml', 'sip:harbour-tg1@red.example')).document;
      for (const name of ['red', 'blue'] as const) {
        closing.push(() => pair.#systems[name]?.stop());
      }
      await Promise.all([pair.begin('red'), pair.begin('blue')]);
      return pair;
    } catch (error) {
      for (const close of closing.reverse()) await close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }

  /** Starts a system that does not run. */
  async begin(name: SystemName): Promise<void> {
    const change = (configuration: SystemConfiguration): SystemConfiguration => {
      const own = this.#configuration(name, configuration);
      return this.#change?.(name, own) ?? own;
    };
    this.#systems[name] = await startSystem(this.folder, name, this.ports, { change });
  }

  /** Ends a system by SIGKILL. */
  async kill(name: SystemName): Promise<void> {
    await this.system(name).kill();
  }

  system(name: SystemName): RunningSystem {
    const system = this.#systems[name];
    if (system === undefined) throw new Error(`${name} does not run`);
    return system;
  }

  /** What is done with CSC-16 requests in both directions from now on. */
  set traffic(traffic: Traffic) {
    this.towards.red.traffic = traffic;
    this.towards.blue.traffic = traffic;
  }

  /** The document of group `sip:NAME@red.example` with this text in its display name and so many more members of blue. */
  document(name: string, text: string, moreMembers: readonly string[] = []): string {
    const entry = (member: string): string => `<entry uri="sip:${member}@blue.example"/>`;
    return this.#document
      .replaceAll('sip:harbour-tg1@red.example', `sip:${name}@red.example`)
      .replace('Harbour patrol', text)
      .replace('</list>', `${moreMembers.map(entry).join('')}</list>`);
  }

  /** A write of red's administrator. */
  put(name: string, document: string): Promise<Answer> {
    return xcap(this.system('red').xcapRoot, {
      method: 'PUT',
      path: `${users}/${name}.xml`,
      identity: 'sip:admin@red.example',
      body: document,
    });
  }

  delete(name: string): Promise<Answer> {
    return xcap(this.system('red').xcapRoot, {
      method: 'DELETE',
      path: `${users}/${name}.xml`,
      identity: 'sip:admin@red.example',
    });
  }

  /** What a system serves to its own MC service server, or to another identity. */
  get(system: SystemName, name: string, identity = `sip:mcptt@${system}.example`): Promise<Answer> {
    return xcap(this.system(system).xcapRoot, {
      method: 'GET',
      path: byGroupId(`sip:${name}@red.example`),
      identity,
    });
  }

  async groups(system: SystemName): Promise<readonly ListedGroup[]> {
    const { manageUrl, manageToken } = this.system(system);
    const list = (await manage(manageUrl, manageToken, 'groups')) as { readonly groups: readonly ListedGroup[] };
    return list.groups;
  }

  async delivery(name: string): Promise<ListedDelivery | undefined> {
    return (await this.deliveries()).find(({ groupId }) => groupId === `sip:${name}@red.example`);
  }

  async deliveries(): Promise<readonly ListedDelivery[]> {
    const { manageUrl, manageToken } = this.system('red');
    const list = (await manage(manageUrl, manageToken, 'deliveries')) as {
      readonly deliveries: readonly ListedDelivery[];
    };
    return list.deliveries;
  }

  /** An MC service server of blue, subscribed to all groups. */
  async listen(): Promise<Listener> {
    const listener = await Listener.subscribe({
      identity: 'sip:mcptt@blue.example',
      gms: 'sip:gms@blue.example',
      port: this.ports.blue.sip,
    });
    this.#closing.push(() => listener.close());
    return listener;
  }

  #configuration(name: SystemName, configuration: SystemConfiguration): SystemConfiguration {
    const other = name === 'red' ? 'blue' : 'red';
    const partners = configuration.partners.map(({ outboundPolicy: _out, inboundPolicy: _in, ...partner }) => ({
      ...partner,
      sip: [`sip:gms@127.0.0.1:${this.sip.portOf(other)}`],
      sipFrom: ['127.0.0.1'],
    }));
    return {
      ...configuration,
      interconnect: {
        ...configuration.interconnect,
        retry: { first: 0.1, ceiling: 0.4 },
        revalidate: 0.5,
        timeout: 2,
        failureMemory: 0,
        brake: { share: 1 },
      },
      sip: { ...configuration.sip, timers: { t1: 50 } },
      partners,
    };
  }
}

// `mcgw demo`: two interconnected systems on loopback, an MC service server that really subscribes, flows A and B with real
// documents, everything verified from outside both systems.

import { playAftermath, playFlowA, playFlowB, type Stage } from './flows.ts';
import { type Ladder, textLadder } from './ladder.ts';
import { McServiceServer, type Notification } from './mc-service-server.ts';
import { Observations } from './observations.ts';
import {
  choosePorts,
  createCertificates,
  demoFolder,
  keyPair,
  labCa,
  type RunningSystem,
  type SystemName,
  type SystemPorts,
  startSystem,
} from './systems.ts';
import type { Exchange } from './wire-tap.ts';
import { startWireTap, type WireTap } from './wire-tap.ts';

export interface DemoOptions {
  /** Play, verify, stop; otherwise the two systems stay up until `stopped` resolves. */
  readonly once: boolean;
  readonly write: (line: string) => void;
  readonly stopped: Promise<void>;
}

/** Plays the demo. Resolves to the exit code: 0 when every claim held, 1 with the failed one printed. */
export async function runDemo({ once, write, stopped }: DemoOptions): Promise<number> {
  const closing: (() => Promise<void> | void)[] = [];
  try {
    const stage = await setStage(textLadder(write), write, closing);
    await playFlowA(stage);
    await playFlowB(stage);
    await playAftermath(stage);
    write('\nEvery step was verified from outside both systems.');
    if (!once) {
      for (const system of [stage.red, stage.blue]) write(describeSystem(system));
      write('Both systems stay up; Ctrl-C ends them.');
      await stopped;
    }
    return 0;
  } catch (error) {
    write(`\nFAILED: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

async function setStage(
  ladder: Ladder,
  write: (line: string) => void,
  closing: (() => Promise<void> | void)[],
): Promise<Stage> {
  write('Creating certificates and starting systems red (primary) and blue (partner) ...');
  const folder = await demoFolder();
  closing.push(() => folder.remove());
  await createCertificates(folder.path);
  const ports = await choosePorts('preferred');
  const redToBlue = new Observations<Exchange>();
  const blueToRed = new Observations<Exchange>();
  closing.push(closeTap(await tap(folder.path, 'red', 'blue', ports.blue, redToBlue)));
  closing.push(closeTap(await tap(folder.path, 'blue', 'red', ports.red, blueToRed)));
  const [red, blue] = await startBoth(folder.path, ports, closing);
  for (const system of [red, blue]) write(describeSystem(system));
  const notifications = new Observations<Notification>();
  const server = await subscribe(blue, ladder, notifications);
  closing.push(() => server.close());
  return { red, blue, ladder, redToBlue, blueToRed, notifications };
}

// Both start side by side; one that came up is closed even when the other did not.
async function startBoth(
  folder: string,
  ports: Readonly<Record<SystemName, SystemPorts>>,
  closing: (() => Promise<void> | void)[],
): Promise<readonly [RunningSystem, RunningSystem]> {
  const start = async (name: SystemName): Promise<RunningSystem> => {
    const system = await startSystem(folder, name, ports);
    closing.push(() => system.stop());
    return system;
  };
  const [red, blue] = await Promise.allSettled([start('red'), start('blue')]);
  if (red.status === 'rejected') throw red.reason;
  if (blue.status === 'rejected') throw blue.reason;
  return [red.value, blue.value];
}

async function tap(
  folder: string,
  caller: 'red' | 'blue',
  called: 'red' | 'blue',
  ports: SystemPorts,
  exchanges: Observations<Exchange>,
): Promise<WireTap> {
  const [ca, asServer, asClient] = await Promise.all([labCa(folder), keyPair(folder, called), keyPair(folder, caller)]);
  return startWireTap({
    port: ports.tap,
    asServer: { ca, ...asServer },
    asClient: { ca, ...asClient },
    target: { host: '127.0.0.1', port: ports.interconnect },
    onExchange: (exchange) => exchanges.add(exchange),
  });
}

function closeTap(wireTap: WireTap): () => Promise<void> {
  return () => wireTap.close();
}

async function subscribe(
  blue: RunningSystem,
  ladder: Ladder,
  notifications: Observations<Notification>,
): Promise<McServiceServer> {
  ladder.heading('An MC service server of blue subscribes to the groups of its GMS, those of partners included');
  const collection = 'org.openmobilealliance.groups/global/byGroupID/';
  const server = new McServiceServer({
    identity: 'sip:mcptt@blue.example',
    gms: 'sip:gms@blue.example',
    server: { host: '127.0.0.1', port: blue.ports.sip },
    resources: [collection],
    onNotification: (notification) => notifications.add(notification),
  });
  const status = await server.subscribe(3600);
  ladder.message('', 'blue MC server', 'blue GMS', `SUBSCRIBE sip:gms@blue.example  ${collection}  ->  ${status}`);
  if (!status.startsWith('SIP/2.0 200')) throw new Error(`the subscription was refused: ${status}`);
  const first = await notifications.first(0, () => true, 'the first NOTIFY');
  ladder.message('', 'blue GMS', 'blue MC server', `NOTIFY  CSeq: ${first.cseq}  ${first.subscriptionState}`);
  return server;
}

function describeSystem(system: RunningSystem): string {
  const { sip } = system.ports;
  return `${system.name.padEnd(5)} xcap=${system.xcapRoot} sip=sip:127.0.0.1:${sip} manage=${system.manageUrl} token=${system.manageToken}`;
}

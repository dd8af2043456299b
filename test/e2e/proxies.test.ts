// TS 23.280 clause 10.2.7, NOTE 1: two gateways that know nothing but the proxies on the edge of their own system and the names of the
// other: HTTP proxies that tunnel, or that end TLS at both edges, and Kamailio for SIP. Nothing of the inside leaves.
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { example } from '../../src/demo/example-groups.ts';
import { type Answer, byGroupId, xcap } from '../../src/demo/faces.ts';
import { portChooser } from '../../src/demo/free-ports.ts';
import { McServiceServer } from '../../src/demo/mc-service-server.ts';
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
} from '../../src/demo/systems.ts';
import { describeWith } from '../describe-with.ts';
import { until } from '../until.ts';
import { partnerConnector } from './partner-connector.ts';
import { type Address, enteringEdge, type KeyMaterial, leavingEdge, tunnellingProxy } from './support/edge-proxies.ts';
import { kamailioEdge } from './support/kamailio-edge.ts';
import { Listener } from './support/listener.ts';
import { issueCertificate } from './support/openssl.ts';
import { SipRelay } from './support/sip-relay.ts';

/** Inside each system, and its edge: addresses that nobody shares. */
const inside = { red: '127.0.1.1', blue: '127.0.2.1' } as const;
const edge = { red: '127.0.1.9', blue: '127.0.2.9' } as const;
const names = ['red', 'blue'] as const;
const other = { red: 'blue', blue: 'red' } as const;

type Both<T> = Readonly<Record<SystemName, T>>;

const both = async <T>(make: (name: SystemName) => Promise<T>): Promise<Both<T>> => ({
  red: await make('red'),
  blue: await make('blue'),
});

/** Everything that crosses the border in clear, as the other system sees it. */
let crossed: { readonly from: SystemName; readonly text: string }[] = [];
const closing: (() => unknown)[] = [];
let folder: string;
let certificates: string;
let systems: Both<RunningSystem>;
let listeners: Both<Listener>;
let ports: Both<SystemPorts>;
let strangersKeys: KeyMaterial;

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The configuration of a system whose every way out is a proxy of its own. */
function behind(
  name: SystemName,
  configuration: SystemConfiguration,
  sipEdge: Address,
  http: { readonly interconnect: object; readonly partner: object; readonly tls: boolean },
): SystemConfiguration {
  const { listen } = configuration.interconnect as { readonly listen: { readonly tls: object } };
  const foreign = `${other[name]}.example`;
  const shared = (home: string): object[] => ['harbour', 'border'].map((kind) => ({ groups: `sip:${kind}-*@${home}` }));
  return {
    ...configuration,
    interconnect: {
      ...configuration.interconnect,
      listen: { host: inside[name], port: ports[name].interconnect, ...(http.tls ? { tls: listen.tls } : {}) },
      root: `https://gms.${name}.example/xcap-root`,
      retry: { first: 0.1, ceiling: 0.4 },
      ...http.interconnect,
    },
    sip: {
      listen: [`udp:${inside[name]}:${ports[name].sip}`],
      outboundProxy: `sip:${sipEdge.host}:${sipEdge.port}`,
    },
    partners: configuration.partners.map(({ inboundPolicy: _in, outboundPolicy: _out, ...partner }) => ({
      ...partner,
      agreement: {
        weProvide: shared(`${name}.example`).slice(0, 1),
        theyRequest: shared(`${name}.example`).slice(1),
        theyProvide: shared(foreign).slice(0, 1),
        weRequest: shared(foreign),
      },
      xcapRoots: [`https://gms.${foreign}/xcap-root`],
      sip: [`sip:gms@${sipEdge.host}:${sipEdge.port}`],
      sipFrom: [sipEdge.host],
      tls: { ca: '../certificates/ca.crt' },
      ...http.partner,
    })),
  };
}

type Ways = (sipEdges: Both<Address>) => Promise<Both<(configuration: SystemConfiguration) => SystemConfiguration>>;

/** Starts both behind Kamailio and the HTTP proxies that `ways` makes. */
async function start(kamailio: string, ways: Ways): Promise<void> {
  crossed = [];
  const made = await demoFolder();
  closing.push(() => made.remove());
  folder = made.path;
  certificates = join(folder, 'certificates');
  await createCertificates(folder);
  strangersKeys = await issueCertificate(certificates, 'gms.green.example');
  ports = await choosePorts('any');
  const port = portChooser();
  const sipEdges = await both(async (name): Promise<Address> => ({ host: edge[name], port: await port() }));
  const between = await SipRelay.open(sipEdges);
  between.traffic = (datagram) => {
    crossed.push({ from: datagram.from, text: datagram.text });
    datagram.pass();
  };
  closing.push(() => between.close());
  const [toRed, toBlue] = await Promise.all(
    names.map((name) =>
      kamailioEdge({
        program: kamailio,
        folder: join(folder, `kamailio-${name}`),
        listen: sipEdges[name],
        gateway: { host: inside[name], port: ports[name].sip },
        other: { host: '127.0.0.1', port: between.portOf(other[name]) },
        mask: `192.0.2.${name === 'red' ? 1 : 2}`,
      }),
    ),
  );
  closing.push(async () => Promise.all([toRed?.(), toBlue?.()]));
  const changes = await ways(sipEdges);
  systems = await both(async (name) => {
    const system = await startSystem(folder, name, ports, { change: changes[name] });
    closing.push(() => system.stop());
    return system;
  });
  listeners = await both(async (name) => {
    const listener = await Listener.subscribe({
      identity: `sip:mcptt@${name}.example`,
      gms: `sip:gms@${name}.example`,
      host: inside[name],
      port: ports[name].sip,
    });
    closing.push(() => listener.close());
    return listener;
  });
}

const write = async (home: SystemName, name: string, text: string): Promise<number> => {
  const { document } = await example('harbour-tg1.xml', '');
  const { status } = await xcap(systems[home].xcapRoot, {
    method: 'PUT',
    path: `org.openmobilealliance.groups/users/sip:groups@${home}.example/${name}.xml`,
    identity: `sip:admin@${home}.example`,
    body: document
      .replaceAll('sip:harbour-tg1@red.example', `sip:${name}@${home}.example`)
      .replace('Harbour patrol', text),
  });
  return status;
};

const read = (system: SystemName, groupId: string): Promise<Answer> =>
  xcap(systems[system].xcapRoot, {
    method: 'GET',
    path: byGroupId(groupId),
    identity: `sip:mcptt@${system}.example`,
  });

function flows(): void {
  test.each(names)(
    'flow A, %s is the primary: provided, changed and told',
    async (primary) => {
      const partner = other[primary];
      const groupId = `sip:harbour-7@${primary}.example`;
      for (const [text, status] of [
        ['First', 201],
        ['Second', 200],
      ] as const) {
        expect(await write(primary, 'harbour-7', text)).toBe(status);
        const held = await until(
          () => read(partner, groupId),
          ({ body }) => body.includes(text),
          `${groupId} at ${partner}`,
        );
        await listeners[partner].hears(groupId, held.tag);
      }
    },
    60_000,
  );

  test.each(names)(
    'flow B, %s is the primary: requested, and kept current over both SIP proxies',
    async (primary) => {
      const partner = other[primary];
      const groupId = `sip:border-7@${primary}.example`;
      expect(await write(primary, 'border-7', 'First')).toBe(201);
      const from = crossed.length;
      const first = await read(partner, groupId);
      expect(first.status).toBe(200);
      await listeners[partner].hears(groupId, first.tag);
      // Its subscription is known to stand when the first NOTIFY has been answered
      await until(
        async () => crossed.slice(from).map(({ text }) => text),
        (texts) => texts.some((text) => text.startsWith('SIP/2.0 200') && /^CSeq: \d+ NOTIFY/m.test(text)),
        'the subscription of the partner',
      );
      expect(await write(primary, 'border-7', 'Second')).toBe(200);
      const second = await until(
        () => read(partner, groupId),
        ({ body }) => body.includes('Second'),
        `the change of ${groupId} at ${partner}`,
      );
      await listeners[partner].hears(groupId, second.tag);
    },
    60_000,
  );

  test.each(names)('over SIP the PSI of a partner is believed only from the configured next hop, %s', async (name) => {
    const stranger = new McServiceServer({
      identity: `sip:gms@${other[name]}.example`,
      gms: `sip:gms@${name}.example`,
      server: { host: inside[name], port: ports[name].sip },
      resources: [byGroupId(`sip:border-7@${name}.example`)],
      onNotification: () => undefined,
    });
    try {
      expect(await stranger.subscribe(600)).toMatch(/^SIP\/2\.0 403 /);
    } finally {
      stranger.close();
    }
  });

  test('nothing that left either system names a host, address, port or software of its inside', () => {
    const version = (process.env.npm_package_version ?? '0.1.0').replaceAll('.', '\\.');
    for (const name of names) {
      const { xcap: xcapPort, interconnect, sip, manage } = ports[name];
      const secrets = new RegExp(
        [
          inside[name].replaceAll('.', '\\.'),
          '127\\.0\\.0\\.1(?!\\d)',
          `(?<![\\w.-])(localhost|${hostname()}|mcgw|drachtio|undici|node)(?![\\w.-])`,
          ...[xcapPort, interconnect, sip, manage].map((port) => `:${port}(?!\\d)`),
          `\\b${version}\\b`,
        ].join('|'),
        'i',
      );
      const left = crossed.filter(({ from }) => from === name).map(({ text }) => text);
      expect(left.length).toBeGreaterThan(0);
      // The relay that listens stands at 127.0.0.1 between the edges; what it wrote itself is taken out first
      const seen = left.map((text) => text.replaceAll(/127\.0\.0\.1:\d+|received=[\d.]+|rport=\d+/g, ''));
      expect(seen.flatMap((text) => (secrets.test(text) ? [secrets.exec(text)?.[0], text] : []))).toEqual([]);
    }
  });
}

describeWith('kamailio', 'proxies on both edges', (kamailio) => {
  describe('TS 23.280 10.2.7 NOTE 1: HTTP proxies that tunnel, Kamailio for SIP', () => {
    const tunnels: string[] = [];

    beforeAll(async () => {
      await start(kamailio, async (sipEdges) => {
        const port = portChooser();
        const httpEdges = await both(async (name): Promise<Address> => ({ host: edge[name], port: await port() }));
        for (const name of names) {
          const foreign = other[name];
          const address = { host: inside[foreign], port: ports[foreign].interconnect };
          const proxy = await tunnellingProxy(
            httpEdges[name],
            { [`gms.${foreign}.example:443`]: address },
            (to, head) => tunnels.push(`${to}\n${head}`),
          );
          closing.push(() => proxy.close());
        }
        return both(async (name) => (configuration) => {
          const { host, port: proxyPort } = httpEdges[name];
          return behind(name, configuration, sipEdges[name], {
            tls: true,
            interconnect: { httpProxy: `http://${host}:${proxyPort}` },
            partner: {},
          });
        });
      });
    }, 60_000);

    afterAll(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    flows();

    test('RFC 9110 9.3.6: the proxy learns host and port of the other edge, and nothing of who asks', () => {
      expect(tunnels.length).toBeGreaterThan(0);
      for (const tunnel of tunnels) {
        expect(tunnel).toMatch(/^gms\.(red|blue)\.example:443\n/);
        expect(tunnel).not.toMatch(/127\.0\.[012]\.1\b|mcgw|undici|node|0\.1\.0/i);
      }
    });

    test.each(names)('a PSI is believed only over a certificate bound to it: 403 from %s', async (name) => {
      const root = `https://${inside[name]}:${ports[name].interconnect}/xcap-root`;
      const own = await keyPair(folder, other[name]);
      const ca = await labCa(folder);
      const psi = `sip:gms@${other[name]}.example`;
      const path = byGroupId(`sip:harbour-7@${other[name]}.example`);
      for (const [keys, identity] of [
        [{ ca, cert: strangersKeys.cert, key: strangersKeys.key }, psi],
        [{ ca, ...own }, 'sip:gms@green.example'],
      ] as const) {
        const connector = partnerConnector({ root, ...keys, servername: `gms.${name}.example` });
        try {
          expect((await connector('DELETE', path, identity)).status).toBe(403);
        } finally {
          await connector.close();
        }
      }
      expect((await read(name, `sip:harbour-7@${other[name]}.example`)).status).toBe(200);
    });
  });

  describe('RFC 9440: HTTP proxies that end TLS at both edges, Kamailio for SIP', () => {
    let entering: Both<Address>;

    beforeAll(async () => {
      await start(kamailio, async (sipEdges) => {
        const port = portChooser();
        const address = async (name: SystemName): Promise<Address> => ({ host: edge[name], port: await port() });
        entering = await both(address);
        const leaving = await both(address);
        // Each edge has one key towards the other system and one towards its own gateway
        const keys = await both((name) => issueCertificate(certificates, `edge.${name}.example`));
        const inner = await both((name) => issueCertificate(certificates, `egress.${name}.example`, edge[name]));
        for (const name of names) {
          const foreign = other[name];
          const gateway = { host: inside[name], port: ports[name].interconnect };
          const enters = await enteringEdge(entering[name], gateway, keys[name], (who, text) =>
            crossed.push({ from: who === 'caller' ? foreign : name, text }),
          );
          closing.push(() => enters.close());
          const to = { ...entering[foreign], name: `edge.${foreign}.example` };
          const leaves = await leavingEdge(leaving[name], to, inner[name], keys[name]);
          closing.push(() => leaves.close());
        }
        return both(
          async (name) => (configuration) =>
            behind(name, configuration, sipEdges[name], {
              tls: false,
              interconnect: { edgeProxies: [edge[name]] },
              partner: {
                xcapRoots: [`https://${edge[name]}:${leaving[name].port}/xcap-root`],
                certificates: [{ san: `edge.${other[name]}.example` }, { san: `egress.${name}.example` }],
              },
            }),
        );
      });
    }, 60_000);

    afterAll(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    flows();

    test.each(names)('through the edge of %s comes only who has the certificate bound to the PSI', async (name) => {
      const foreign = other[name];
      const path = byGroupId(`sip:harbour-7@${foreign}.example`);
      const bound = await issueCertificate(certificates, `edge.${foreign}.example`);
      const status = async (keys: KeyMaterial, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
        const { host, port } = entering[name];
        const root = `https://${host}:${port}/xcap-root`;
        const connector = partnerConnector({ root, ...keys, servername: `edge.${name}.example`, headers });
        try {
          return (await connector('DELETE', path, `sip:gms@${foreign}.example`)).status;
        } finally {
          await connector.close();
        }
      };
      const der = (pem: string): string => pem.replaceAll(/-----[A-Z ]+-----|\s/g, '');
      expect(await status(strangersKeys)).toBe(403);
      expect(await status(strangersKeys, { 'Client-Cert': `:${der(bound.cert)}:` })).toBe(403);
      expect((await read(name, `sip:harbour-7@${foreign}.example`)).status).toBe(200);
      // The counter-proof: with the right one the same request is obeyed
      expect(await status(bound)).toBe(200);
    });

    test.each(names)('a conveyed certificate from anybody but the edge proxy is refused by %s', async (name) => {
      const { cert } = await issueCertificate(certificates, `edge.${other[name]}.example`);
      const root = `http://${inside[name]}:${ports[name].interconnect}/xcap-root`;
      const path = byGroupId(`sip:border-7@${name}.example`);
      const der = cert.replaceAll(/-----[A-Z ]+-----|\s/g, '');
      for (const headers of [{ 'Client-Cert': `:${der}:` }, {}]) {
        const connector = partnerConnector({ root, ca: '', cert: '', key: '', headers });
        try {
          expect((await connector('GET', path, `sip:gms@${other[name]}.example`)).status).toBe(403);
        } finally {
          await connector.close();
        }
      }
    });
  });
});

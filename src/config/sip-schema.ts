// The section `sip` of the configuration: listeners, engine, timers and what subscribers are granted.
import { z } from 'zod';
import { crlMeaning, fileName, port, sipUri, text } from './schema-values.ts';

/** The section `sip`. */
export const sip = z
  .strictObject({
    listen: z
      .array(
        z
          .string()
          .regex(/^(udp|tcp|tls|wss?):(\[[0-9a-fA-F:.]+\]|[^:\s[\]]+):\d{1,5}$/, {
            error: 'must be udp:, tcp:, tls:, ws: or wss: followed by ADDRESS:PORT, IPv6 in brackets',
            abort: true,
          })
          .refine((value) => Number(value.slice(value.lastIndexOf(':') + 1)) <= 65535, 'must have a port up to 65535'),
      )
      .min(1)
      .describe('`udp:ADDRESS:PORT`, or with `tcp`, `tls`, `ws` or `wss` in front; IPv6 in brackets'),
    tls: z
      .strictObject({
        cert: fileName.describe('file: certificate chain, PEM; it names the host of the SIP URIs'),
        key: fileName.describe('file: private key, PEM'),
        ca: fileName
          .optional()
          .describe(
            'file: CA that certificates of SIP peers must chain to, PEM; absent = the CAs of Node.js, and none is asked of clients',
          ),
        crl: fileName.optional().describe(crlMeaning('`ca`')),
        requireClientCertificate: z
          .boolean()
          .optional()
          .describe(
            'true = `tls:` and `wss:` listeners turn away whoever shows no certificate of `ca`; otherwise one is asked for and may be missing',
          ),
      })
      .optional()
      .describe('TLS of the embedded engine, for `tls:` and `wss:` listeners and for connections it makes'),
    engine: z
      .union(
        [
          z.literal('embedded'),
          z.strictObject({
            drachtio: z
              .strictObject({
                host: text.describe('where its control port listens'),
                port: port.describe('its control port, usually 9022'),
                secret: text.describe('its control secret'),
                largestFrame: z
                  .int()
                  .min(4000)
                  .max(1048576)
                  .default(12000)
                  .describe(
                    'octets of the largest control frame it takes; 12000 for a drachtio-server, 1048576 for `mcgw engine`. What does not fit goes out in parts or by reference',
                  ),
                tls: z
                  .strictObject({
                    port: port.describe('second control port of the same host, over TLS'),
                    cert: fileName.describe('file: certificate chain, PEM'),
                    key: fileName.describe('file: private key, PEM'),
                    clientCa: fileName
                      .optional()
                      .describe(
                        'file: CA that certificates of applications must chain to, PEM; absent = none is asked for',
                      ),
                  })
                  .optional()
                  .describe(
                    'TLS of the control port, which `mcgw engine` offers to other applications; `mcgw serve` uses the plain one',
                  ),
              })
              .describe('a running drachtio-server'),
          }),
        ],
        { error: 'must be embedded or { drachtio: { host, port, secret } }' },
      )
      .default('embedded')
      .describe('`embedded`, or a running drachtio-server'),
    outboundProxy: sipUri.optional().describe('next hop of all our requests outside a dialog'),
    natDetection: z
      .enum(['auto', 'always', 'never'])
      .default('auto')
      .describe(
        'over UDP, where NOTIFYs go when the Contact of a subscriber is not where its requests come from and no proxy records itself: `never` to that source (RFC 3261 12.2.1.1), `always` to it (as a drachtio-server does), or, `auto`, to it only when the Contact names another address of a private network. But for `never`, the other one is tried when nobody answers. For the embedded engine and `mcgw engine`',
      ),
    atShutdown: z
      .enum(['deactivate', 'keep'])
      .optional()
      .describe(
        'on SIGTERM, subscriptions are ended with `deactivated`, so that subscribers come back at once; or kept, to go on after the next start as after a crash. Absent = `deactivate` with the embedded engine, `keep` with one that runs on',
      ),
    minimumExpires: z
      .int()
      .min(0)
      .max(3600)
      .default(60)
      .describe('seconds; shorter subscriptions are refused with 423'),
    maximumExpires: z.int().min(60).default(86400).describe('seconds; longer subscriptions are shortened'),
    minimumNotifyInterval: z
      .strictObject({
        servers: z.number().min(0).default(0).describe('for own MC service servers'),
        partners: z.number().min(0).default(0).describe('for partner systems'),
        clients: z.number().min(0).default(5).describe('for group management clients'),
      })
      .prefault({})
      .describe('seconds between two NOTIFYs of one subscription; the first is immediate'),
    timers: z
      .strictObject({
        t1: z.int().min(10).max(10000).default(500).describe('RFC 3261 timer T1, milliseconds'),
        t2: z
          .int()
          .min(10)
          .max(60000)
          .default(4000)
          .describe('RFC 3261 timer T2, milliseconds: longest pause between two retransmissions'),
      })
      .prefault({}),
  })
  .optional()
  .describe('SIP SUBSCRIBE and NOTIFY; absent = no subscriptions');

// Load from wrk: keep-alive connections that send requests one after the other for some seconds.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Need } from './programs.ts';
import type { Site } from './site.ts';

export const wrkNeed = { name: 'wrk', debianPackage: 'wrk' } as const satisfies Need;

/** One request; a body has a counter of eight digits between its two parts, so that no two are the same. */
export interface LoadRequest {
  readonly method: 'GET' | 'PUT';
  /** Request target as it goes out. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: { readonly before: string; readonly after: string };
}

export interface Load {
  readonly port: number;
  /** Sent in turns. */
  readonly requests: readonly LoadRequest[];
  readonly connections: number;
}

export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Answers with a status above 399, and connections that broke or timed out. */
  readonly errors: { readonly status: number; readonly socket: number };
}

/** The text of a request body with a counter in it. */
export function bodyText(body: { readonly before: string; readonly after: string }, counter: number): string {
  return `${body.before}${String(counter).padStart(8, '0')}${body.after}`;
}

/** Puts load on a server for so many seconds. Throws when wrk fails; errors of the server are counted. */
export async function putLoad(site: Site, wrk: string, load: Load, seconds: number, first: number): Promise<Measured> {
  const script = join(site.folder, 'load.lua');
  await writeFile(script, loadScript(load, first), 'latin1');
  const args = ['-t', '1', '-c', String(load.connections), '-d', `${seconds}s`, '--timeout', '10s', '-s', script];
  const output = await site.run({ program: wrk, args: [...args, `http://127.0.0.1:${load.port}/`] });
  const line = output.findLast((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said nothing we know:\n${output.join('\n')}`);
  return JSON.parse(line) as Measured;
}

/** The Lua program that makes wrk send the requests and print one line of JSON. */
export function loadScript({ requests, port }: Load, first: number): string {
  const parts = requests.map((request) => {
    const [head, before, after] = rawRequest(request, port);
    return { head: `${head}${before}`, after };
  });
  const counted = requests.some(({ body }) => body !== undefined);
  return `local heads = {${parts.map(({ head }) => luaString(head)).join(',\n')}}
local tails = {${parts.map(({ after }) => luaString(after)).join(',\n')}}
local sent = ${first}
request = function()
  sent = sent + 1
  local turn = sent % #heads + 1
  ${counted ? "return heads[turn] .. string.format('%08d', sent) .. tails[turn]" : 'return heads[turn]'}
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"latency":{"p50":%f,"p99":%f,"max":%f},"errors":{"status":%d,"socket":%d}}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
`;
}

function rawRequest({ method, path, headers, body }: LoadRequest, port: number): readonly [string, string, string] {
  const length = body === undefined ? 0 : Buffer.byteLength(bodyText(body, 0));
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`Content-Length: ${length}`]),
  ];
  return [`${lines.join('\r\n')}\r\n\r\n`, body?.before ?? '', body?.after ?? ''];
}

// The file is written as Latin-1, each character one octet of the UTF-8 text.
function luaString(text: string): string {
  const octets = Buffer.from(text, 'utf8').toString('latin1');
  return `"${octets.replace(/["\\\n\r\0]/g, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`)}"`;
}

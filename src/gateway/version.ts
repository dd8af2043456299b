// The version of the package, read from beside the code.
import { readFileSync } from 'node:fs';

/** The version as package.json tells it. */
export function gatewayVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

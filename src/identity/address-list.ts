// Lists of IP addresses and CIDR ranges, matched without DNS.
import { BlockList, isIP } from 'node:net';

export interface AddressList {
  /** True when the address is covered; `::ffff:a.b.c.d` counts as the IPv4 address it carries. */
  has(address: string | undefined): boolean;
}

/**
 * Makes a list of single addresses and CIDR ranges, IPv4 and IPv6, with or without brackets.
 * Throws an Error that quotes the first entry which is neither (a host name, for one).
 */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList();
  for (const entry of entries) {
    const range = parseRange(entry);
    if (range === undefined) throw new Error(`"${entry}" is not an IP address or CIDR range`);
    list.addSubnet(range.address, range.prefix, range.family);
  }
  const covers = (address: string): boolean => {
    const plain = plainAddress(address);
    const version = isIP(plain);
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
  // Asked for each request, mostly for the same few proxies
  const asked = new Map<string, boolean>();
  return {
    has(address) {
      if (address === undefined) return false;
      let covered = asked.get(address);
      if (covered === undefined) {
        covered = covers(address);
        if (asked.size >= mostAsked) asked.clear();
        asked.set(address, covered);
      }
      return covered;
    },
  };
}

const mostAsked = 1000;

/** True when `entry` may stand in an address list. */
export function isAddressRange(entry: string): boolean {
  return parseRange(entry) !== undefined;
}

/** True for 127.0.0.0/8 and ::1; false for host names, `localhost` included, since they mean whatever a resolver says. */
export function isLoopbackAddress(address: string): boolean {
  return loopback.has(address);
}

const loopback = addressList(['127.0.0.0/8', '::1']);

interface Range {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

function parseRange(entry: string): Range | undefined {
  const [, address = '', digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry.trim()) ?? [];
  const plain = plainAddress(address);
  const version = isIP(plain);
  if (version === 0) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  const width = version === 4 ? 32 : 128;
  const prefix = digits === undefined ? width : Number(digits);
  if (prefix > width) return undefined;
  // A range written over mapped addresses is meant for the IPv4 peers that a dual-stack socket reports that way
  if (mapped !== undefined && prefix >= 96) return { address: mapped, prefix: prefix - 96, family: 'ipv4' };
  return { address: plain, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

// RFC 4007 11: the zone says which link an address is on, not which address it is
function plainAddress(address: string): string {
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  const zone = bare.indexOf('%');
  return zone < 0 ? bare : bare.slice(0, zone);
}

// Which addresses a redirect may lead to: a server must not send this program into the network it runs in. Nothing is requested here.

import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** Addresses that are not on the public internet: https://www.iana.org/assignments/iana-ipv4-special-registry and the IPv6 one. */
const INTERNAL = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  INTERNAL.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  INTERNAL.addSubnet(network, prefix, 'ipv6');
}

/** Whether a host, as a URL has it, is an internal address or a name of this machine. Other names are told only when they are looked up. */
export function isInternalHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const family = isIP(host);
  if (family !== 0) return INTERNAL.check(host, family === 4 ? 'ipv4' : 'ipv6');
  return host === 'localhost' || host.endsWith('.localhost');
}

type Found = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** `dns.lookup` that fails with code `INTERNAL_ADDRESS` for a name that leads to an internal address, also when it changes its mind. */
export function publicLookup(hostname: string, options: LookupOptions, found: Found): void {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return found(error, []);
    const internal = addresses.find(({ address }) => isInternalHost(address));
    if (internal !== undefined) {
      const message = `${hostname} is the internal address ${internal.address}`;
      return found(Object.assign(new Error(message), { code: 'INTERNAL_ADDRESS' }), []);
    }
    const [first] = addresses;
    if (options.all === true) found(null, addresses);
    else found(null, first?.address ?? '', first?.family ?? 4);
  });
}

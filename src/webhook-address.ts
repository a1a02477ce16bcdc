// Where announcements may go. A tenant names the URL, the operator's network answers: without this, whoever may add a webhook could have the server
// knock at doors that only the server can reach. A name is looked up once and the connection goes to the very address that was judged, so that a name
// which changes its mind in between gains nothing.
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

// Everything but what the registries of IANA call globally reachable.
const refusedV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const
// Addresses that carry an IPv4 address inside (6to4, Teredo, NAT64) lead to it, and are no more public than it may be.
const refusedV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const

const v4 = new BlockList()
for (const [net, bits] of refusedV4) v4.addSubnet(net, bits, 'ipv4')
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')
const v6 = new BlockList()
for (const [net, bits] of refusedV6) v6.addSubnet(net, bits, 'ipv6')

/** Whether an IP address is one of the public internet; a text that is none is not. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !v4.check(address, 'ipv4')
  return family === 6 && globalV6.check(address, 'ipv6') && !v6.check(address, 'ipv6')
}

/** A webhook leads where none may. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
}

/** Looks a name up and refuses it where one of its addresses is not public. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0)
      return
    }
    const refused = addresses.find(({ address }) => !isPublicAddress(address))
    const [first] = addresses
    if (refused !== undefined || first === undefined)
      callback(new AddressRefused('Address is private'), '', 0)
    else if (options.all === true) callback(null, addresses)
    else callback(null, first.address, first.family)
  })
}

/**
 * Why a URL may not be called by what it says itself; names are judged when they are looked up.
 * @param allowPrivate whether http and private addresses are allowed
 */
export function urlProblem(url: URL, allowPrivate: boolean): string | undefined {
  if (allowPrivate) return undefined
  if (url.protocol !== 'https:') return 'Not https'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) !== 0 && !isPublicAddress(host) ? 'Address is private' : undefined
}

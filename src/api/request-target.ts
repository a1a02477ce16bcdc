// What a request is asked of (RFC 9112 §3.2, §7.2): a path and a query, whatever form the target has.
import type { IncomingMessage } from 'node:http'
import { Failure } from '../base/failure.ts'

/** A path and a query. */
export interface Target {
  /** With what was escaped, but for what would then mean something else. */
  readonly path: string
  /** As sent, without its question mark; empty without one. */
  readonly query: string
}

const hostPattern = /^(?:\[[\dA-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d*)?$/
/** A proxy's form of a target, which every server has to take. */
const authority = /^https?:\/\/[^/?]*/i

/** What stands for something else in a path stays escaped, and so does what is not escaped rightly. */
function unescapePath(path: string): string {
  try {
    return decodeURI(path.replaceAll('%25', '%2525'))
  } catch {
    return path
  }
}

/** The value of a path's part; one that is not escaped rightly as it is. */
export function unescapePart(part: string): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Whether a host is named, and once: of several the platform keeps the first, and someone on the way may have taken another (RFC 9112 §3.2). */
function namesHost({
  headers,
  rawHeaders,
}: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): boolean {
  const hosts = rawHeaders.filter(
    (text, i) => i % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host',
  )
  return hosts.length === 1 && hostPattern.test(headers.host ?? '')
}

/**
 * The target of a request.
 * @throws {@link Failure} INPUT_MALFORMED when it names no host or several, or none that can be one
 */
export function targetOf(request: Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'url'>): Target {
  if (!namesHost(request)) throw new Failure('INPUT_MALFORMED', 'Header Host must name a host')
  const { url = '/' } = request
  const target = url.startsWith('/') ? url : url.replace(authority, '')
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  return {
    path: path.includes('%') ? unescapePath(path) : path || '/',
    query: at < 0 ? '' : target.slice(at + 1),
  }
}

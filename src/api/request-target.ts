// What a request is asked of (RFC 9112 §3.2, §7.2): a path and a query, whatever form the target has.
import type { IncomingMessage } from 'node:http'
import { checkHead } from './request-head.ts'

/** A path and a query. */
export interface Target {
  /** With what was escaped, but for what would then mean something else. */
  readonly path: string
  /** As sent, without its question mark; empty without one. */
  readonly query: string
}

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

/**
 * The target of a request.
 * @throws INPUT_MALFORMED when its head is refused
 */
export function targetOf(
  request: Pick<IncomingMessage, 'headers' | 'httpVersion' | 'url'>,
): Target {
  checkHead(request)
  const { url = '/' } = request
  const target = url.startsWith('/') ? url : url.replace(authority, '')
  const at = target.indexOf('?')
  const path = at < 0 ? target : target.slice(0, at)
  return {
    path: path.includes('%') ? unescapePath(path) : path || '/',
    query: at < 0 ? '' : target.slice(at + 1),
  }
}

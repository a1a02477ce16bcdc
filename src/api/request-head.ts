// What is refused by its head alone: what somebody on the way may have read in another way than we do, and what we do not do. A header that stands
// several times arrives here as one list (`joinDuplicateHeaders`): to take the first would be to take another than a proxy that took the last.
import type { IncomingMessage } from 'node:http'
import { Failure } from '../base/failure.ts'

const hostPattern = /^(?:\[[\dA-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d*)?$/

/** A transfer coding is undone by the platform when it is `chunked` alone, and HTTP 1.0 has none (RFC 9112 §6.1). */
function checkCoding({ headers, httpVersion }: Pick<IncomingMessage, 'headers' | 'httpVersion'>) {
  const coding = headers['transfer-encoding']
  if (coding === undefined) return
  if (coding.toLowerCase() !== 'chunked' || httpVersion !== '1.1')
    throw new Failure('INPUT_MALFORMED', 'Transfer-Encoding must be chunked, in HTTP 1.1', {
      field: 'Transfer-Encoding',
    })
}

/**
 * Refuses a request by its head.
 * @throws {@link Failure} INPUT_MALFORMED when it names no host or several, or a transfer coding but `chunked`, or expects what is not done
 */
export function checkHead(request: Pick<IncomingMessage, 'headers' | 'httpVersion'>): void {
  const { expect, host = '' } = request.headers
  if (!hostPattern.test(host)) throw new Failure('INPUT_MALFORMED', 'Header Host must name a host')
  checkCoding(request)
  if (expect !== undefined && expect.toLowerCase() !== '100-continue')
    throw new Failure('INPUT_MALFORMED', 'Expect must be 100-continue', { field: 'Expect' })
}

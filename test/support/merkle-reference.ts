// RFC 6962 §2.1, word for word and slow, on its own SHA-256: what the real tree is compared with.
import { createHash } from 'node:crypto'

type Hash = Uint8Array

const sha256 = (...parts: Uint8Array[]): Hash =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest())
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1))

/** MTH(D[n]). */
export function referenceRoot(d: readonly Uint8Array[]): Hash {
  if (d.length < 2) return d[0] === undefined ? sha256() : sha256(Uint8Array.of(0), d[0])
  const k = split(d.length)
  return sha256(Uint8Array.of(1), referenceRoot(d.slice(0, k)), referenceRoot(d.slice(k)))
}

/** PATH(m, D[n]). */
export function referencePath(m: number, d: readonly Uint8Array[]): Hash[] {
  if (d.length === 1) return []
  const k = split(d.length)
  const [left, right] = [d.slice(0, k), d.slice(k)]
  return m < k
    ? [...referencePath(m, left), referenceRoot(right)]
    : [...referencePath(m - k, right), referenceRoot(left)]
}

/** SUBPROOF(m, D[n], b); PROOF(m, D[n]) where b is left out. */
export function referenceProof(m: number, d: readonly Uint8Array[], b = true): Hash[] {
  if (m === d.length) return b ? [] : [referenceRoot(d)]
  const k = split(d.length)
  const [left, right] = [d.slice(0, k), d.slice(k)]
  return m <= k
    ? [...referenceProof(m, left, b), referenceRoot(right)]
    : [...referenceProof(m - k, right, false), referenceRoot(left)]
}

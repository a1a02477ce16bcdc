// Verifies a period of a hundred thousand entries that is made while it is read, and prints what came out and the most memory that buffers took.
import { createHash } from 'node:crypto'
import { utf8 } from '../../src/base/bytes.ts'
import { formatLeaf } from '../../src/dossier/leaf.ts'
import { formatPeriodEnd, formatPeriodHead } from '../../src/dossier/period.ts'
import { formatTrustRoot } from '../../src/dossier/trust-root.ts'
import { signCheckpoint } from '../../src/merkle/checkpoint.ts'
import { Frontier } from '../../src/merkle/frontier.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { verifyPeriod } from '../../src/verify/index.ts'
import { createWorld } from './forge-world.ts'

const size = Number(process.argv[2])
const { each, trust } = createWorld()
const { identity } = each.log

function* leaves(): Generator<Uint8Array> {
  for (let i = 0; i < size; i++) {
    const digest = createHash('sha512').update(String(i)).digest('hex')
    const half = digest.slice(64)
    const stream = `0197${digest.slice(0, 4)}-${digest.slice(4, 8)}-7000-8000-${digest.slice(8, 20)}`
    const place = { keyid: half, kind: 'decision' as const, prev: null, seq: 0, stream }
    yield formatLeaf({ ...place, pae: digest, sig: half, time: 1_760_000_000_000 + i, v: 1 })
  }
}

function headLine(): Uint8Array {
  const frontier = Frontier.empty()
  for (const leaf of leaves()) frontier.append(leafHash(leaf))
  const { instance, keys, origin, tenant } = identity
  return formatPeriodHead({
    consistency: [],
    from: { checkpoint: null, frontier: [], size: 0 },
    instance,
    origin,
    statuses: ['BLOCK'],
    tenant,
    to: signCheckpoint({ origin, root: frontier.root(), size }, keys),
  })
}

let most = 0
const note = (): void => {
  most = Math.max(most, process.memoryUsage().arrayBuffers)
}

function* file(): Generator<Uint8Array> {
  const hash = createHash('sha256')
  const line = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes, utf8('\n')])
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes)
    return bytes
  }
  yield hashed(line(headLine()))
  let read = 0
  for (const leaf of leaves()) {
    yield hashed(line(leaf))
    if (++read % 1000 === 0) note()
  }
  yield line(formatPeriodEnd({ dossiers: 0, leaves: size, sha256: hash.digest('hex') }))
}

// The log of the world is another: what is said of its size must not be held against this one.
for (const section of trust.origins) section.asOf.size = 0
for (const section of trust.origins)
  section.asOf.root = Buffer.from(createHash('sha256').digest()).toString('base64')
const report = await verifyPeriod(file(), formatTrustRoot(trust))
process.stdout.write(
  `${JSON.stringify({ bufferBytes: most, entries: report.entries, verdict: report.verdict })}\n`,
)

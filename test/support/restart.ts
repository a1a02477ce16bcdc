import { join } from 'node:path'
import { decodeBase64 } from '../../src/base/base64.ts'
import { encodeHex, equalBytes } from '../../src/base/bytes.ts'
import { fsck } from '../../src/decisions/fsck.ts'
import type { Principal } from '../../src/decisions/service.ts'
import { formatDossier } from '../../src/dossier/v1.ts'
import { PinFile } from '../../src/log/pin.ts'
import { loadNodes } from '../../src/log/tree-reading.ts'
import { parseCheckpoint, type Checkpoint } from '../../src/merkle/checkpoint.ts'
import { parseNote } from '../../src/merkle/note.ts'
import { rootAt } from '../../src/merkle/proof.ts'
import { openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { StoreReader } from '../../src/store/store.ts'
import { verifyDossier } from '../../src/verify/verify-dossier.ts'
import type { Notarised } from '../../src/wire/decision.ts'

/** Where an installation lies. */
export interface Place {
  readonly data: string
  readonly keys: string
  readonly kekFile: string
}

/** Where an installation of a test lies, all in one directory. */
export const placeIn = (directory: string): Place => ({
  data: join(directory, 'data'),
  kekFile: join(directory, 'kek'),
  keys: join(directory, 'keys'),
})

/** The settings of an installation that opens by its KEK file. */
export const settingsOf = ({ data, keys, kekFile }: Place): ServiceSettings => ({
  data,
  dev: false,
  hsmModule: undefined,
  kek: 'environment',
  kekFile,
  kekValue: undefined,
  keys,
  kmsKeyId: undefined,
  masterPublic: undefined,
  version: '0.0.0-test',
})

/** Who notarises in tests of faults. */
export const principalOf = (tenant: string): Principal => ({
  caller: { id: 'burst', owner: 'burst', type: 'apiKey' },
  profile: 'checkpoint',
  scopes: [],
  tenant,
})

const bytesOf = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array(0)

function headOf(note: string): Checkpoint {
  const parsed = parseNote(note)
  const head = typeof parsed === 'string' ? parsed : parseCheckpoint(parsed.text)
  if (typeof head === 'string') throw new Error(`Not a checkpoint: ${head}`)
  return head
}

/** The dossier that an answer is, by itself. */
function dossierOf({ checkpoint, envelope, id, index, leaf, proof }: Notarised): Uint8Array {
  if (envelope === null) throw new Error(`Answer without its content: ${id}`)
  return formatDossier({
    checkpoint,
    cited: [],
    entries: [
      {
        index,
        leaf: bytesOf(leaf),
        payload: bytesOf(envelope.payload),
        proof: proof.map(bytesOf),
        signature: bytesOf(envelope.signatures[0].sig),
      },
    ],
    stream: id,
  })
}

/** Answers whose entry is gone or another, or which do not verify. */
async function lost(
  store: StoreReader,
  tenant: string,
  acknowledged: readonly Notarised[],
  trust: Uint8Array,
): Promise<string[]> {
  const wrong: string[] = []
  for (const answer of acknowledged) {
    const entry = await store.readEntry(tenant, answer.index)
    if (entry === undefined || !equalBytes(entry.leaf, bytesOf(answer.leaf)))
      wrong.push(`Acknowledged and lost: ${answer.index}`)
    const { verdict } = verifyDossier(dossierOf(answer), trust)
    if (verdict !== 'valid') wrong.push(`Acknowledged and ${verdict}: ${answer.index}`)
  }
  return wrong
}

/** Checkpoints that are not prefixes of the log as it is; when all are, no two of them contradict each other. */
async function forks(
  store: StoreReader,
  tenant: string,
  notes: readonly string[],
): Promise<string[]> {
  const size = (await store.readTenant(tenant))?.head.size ?? 0
  const heads = new Map(
    notes.map(headOf).map((head) => [`${head.size} ${encodeHex(head.root)}`, head]),
  )
  const sizes = [...heads.values()].map((head) => head.size)
  const beyond = sizes.filter((one) => one > size).map((one) => `Checkpoint beyond the log: ${one}`)
  const within = [...heads.values()].filter((head) => head.size <= size)
  const nodes = await loadNodes(store, tenant, size, [
    ...sizes,
    ...sizes.map((one) => Math.max(0, one - 1)),
  ])
  const wrong = within.filter((head) => !equalBytes(head.root, rootAt(head.size, nodes)))
  return [...beyond, ...wrong.map((head) => `Checkpoint of another log: ${head.size}`)]
}

async function fsckFindings(
  store: StoreReader,
  tenant: string,
  pinFile: string,
  signatures: boolean,
): Promise<string[]> {
  const pin = new PinFile(pinFile)
  try {
    const { findings } = await fsck({
      pin: await pin.read(),
      progress: () => undefined,
      signatures,
      store,
      tenant,
      trustFile: undefined,
    })
    return findings.map(({ index, part, what }) => `${part} ${String(index)}: ${what}`)
  } finally {
    await pin.close()
  }
}

/** What is known of an installation from outside before it is started again. */
export interface Known {
  /** Every answer that is to be looked at. */
  readonly acknowledged: readonly Notarised[]
  /** Checkpoints that were given away besides. */
  readonly notes?: readonly string[]
  readonly tenant?: string
  /** Whether fsck verifies the signature of every entry; it does unless told otherwise. */
  readonly signatures?: boolean
}

/**
 * Starts an installation again, has it notarise once more, and gives what is wrong with it: what was acknowledged and is not there, does not verify, or
 * contradicts the log as it now is, and whatever fsck finds.
 */
export async function restart(place: Place, known: Known): Promise<string[]> {
  const { acknowledged, notes = [], signatures = true, tenant = 'default' } = known
  const service = await openLocalService(settingsOf(place), () => undefined)
  const request = { intent: { action: { type: 'go on' }, actor: { id: 'a' } }, status: 'ALLOW' }
  const last = JSON.parse(
    await service.notarise(principalOf(tenant), JSON.stringify(request), null),
  ) as Notarised
  const trust = await service.readTrustRoot(tenant)
  const { id } = service.instance
  await service.close()
  const store = await openSqliteStore({ mode: 'read', path: place.data })
  try {
    const answers = [...acknowledged, last]
    return [
      ...(await lost(store, tenant, answers, trust)),
      ...(await forks(store, tenant, [...notes, ...answers.map((one) => one.checkpoint)])),
      ...(await fsckFindings(store, tenant, join(place.keys, id, `${tenant}.pin`), signatures)),
    ]
  } finally {
    await store.close()
  }
}

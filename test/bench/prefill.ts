// A log of any size, made fast: true leaves, tiles, checkpoint and pin, so that the service opens it as its own; payload and signature are the same
// in every entry, since nothing that is measured reads them.
import { join } from 'node:path'
import { encodeHex } from '../../src/base/bytes.ts'
import { uuidv7 } from '../../src/base/uuid.ts'
import { randomNonce, sha256, sha512 } from '../../src/crypto/hash.ts'
import { preAuthEncoding } from '../../src/dossier/dsse.ts'
import { formatLeaf } from '../../src/dossier/leaf.ts'
import { formatStatement } from '../../src/dossier/statement.ts'
import { loadEnvironmentKek } from '../../src/kek/environment.ts'
import { unsealKeyring } from '../../src/keyring/unseal.ts'
import type { Keyring } from '../../src/keyring/keyring.ts'
import { PinDirectory } from '../../src/log/pin-directory.ts'
import { loadRightEdge } from '../../src/log/tree-reading.ts'
import { signCheckpoint } from '../../src/merkle/checkpoint.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { TileTree } from '../../src/merkle/tiles.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { NewEntry, Store, Tenant } from '../../src/store/store.ts'
import { matter, place } from './sample.ts'
import type { Installation } from './server.ts'

const batch = 2048
const noTile = new Uint8Array(0)

const filter = Object.freeze({
  status: matter.status,
  actor: matter.intent.actor.id,
  action: matter.intent.action.type,
})

/** Makes the entries of decisions that are signed by the fast key, as far as one can tell without their payload. */
function entryMaker({ fast }: Keyring): (index: number, time: number) => NewEntry {
  const payload = formatStatement({ ...place, stream: matter.id }, randomNonce(16), matter)
  const encoded = preAuthEncoding(payload)
  const signature = fast.signer.sign(encoded)
  const common = {
    keyid: fast.keyid,
    kind: 'decision' as const,
    pae: encodeHex(sha512(encoded)),
    prev: null,
    seq: 0,
    sig: encodeHex(sha256(signature)),
    v: 1 as const,
  }
  const { keyid, kind, seq } = common
  return (index, time) => {
    const stream = uuidv7(time, randomNonce(10))
    const leaf = formatLeaf({ ...common, stream, time })
    const columns = { filter, index, keyid, kind, seq, stream, time }
    return { ...columns, leaf, leafHash: leafHash(leaf), payload, signature }
  }
}

async function fill(store: Store, tenant: Tenant, keyring: Keyring, size: number): Promise<void> {
  const { name, origin } = tenant
  const edge = await loadRightEdge(store, name, tenant.head.size)
  const tree = new TileTree(tenant.head.size, (level, n) => edge.get(`${level}/${n}`) ?? noTile)
  const make = entryMaker(keyring)
  let { head } = tenant
  while (head.size < size) {
    const time = Date.now()
    const count = Math.min(batch, size - head.size)
    const first = head.size
    const entries = Array.from({ length: count }, (_, i) => make(first + i, time))
    const tiles = tree.append(entries.map((entry) => entry.leafHash))
    const next = { root: tree.root(), size: tree.size, time }
    const note = signCheckpoint({ origin, ...next }, keyring.log)
    await store.commit({
      tenant: name,
      expected: head,
      head: next,
      entries,
      tiles,
      checkpoint: { ...next, note },
      keepCheckpoint: false,
      effects: [],
    })
    head = next
  }
}

/** Brings the log of a tenant of an installation that nobody serves to a size. */
export async function prefill(
  { data, keys }: Installation,
  tenant: string,
  size: number,
): Promise<void> {
  const store = await openSqliteStore({ mode: 'write', path: data })
  const kek = loadEnvironmentKek(join(keys, 'countersign.kek'))
  try {
    const instance = await store.readInstance()
    const found = await store.readTenant(tenant)
    const stored = await store.readKeys(tenant)
    if (instance === undefined || found === undefined || stored === undefined)
      throw new Error(`No such tenant: ${tenant}`)
    const keyring = await unsealKeyring({ instance: instance.id, providers: [kek], stored, tenant })
    await fill(store, found, keyring, size)
    const pin = new PinDirectory(join(keys, instance.id)).open(tenant)
    const { head } = (await store.readTenant(tenant)) ?? found
    await pin.read()
    await pin.write({
      epoch: keyring.epoch,
      origin: found.origin,
      root: head.root,
      size: head.size,
    })
    await pin.close()
    keyring.close()
  } finally {
    await store.close()
    await kek.close()
  }
}

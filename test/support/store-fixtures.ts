import { createHash, randomBytes } from 'node:crypto'
import { utf8 } from '../../src/base/bytes.ts'
import type {
  Commit,
  Effect,
  LogHead,
  NewEntry,
  Store,
  StoredKey,
  StoredKeys,
  Tenant,
} from '../../src/store/store.ts'

/** SHA-256 of text or bytes: a hash that looks like one. */
export const sha256 = (data: string | Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(data).digest())

/** A keyid that looks like one. */
export const keyidOf = (name: string): string => createHash('sha256').update(name).digest('hex')

/** The keyid that {@link makeKeys} makes valid from the first index. */
export const goodKeyid = keyidOf('evidence 1')

/** The head of a log without entries. */
export const emptyHead: LogHead = { size: 0, root: sha256(''), time: 0 }

/** A key of version 1 that signs from index 0. */
export const makeKey = (change: Partial<StoredKey> = {}): StoredKey => ({
  keyId: '01890a5d-ac96-774b-bcce-b302099a8057',
  purpose: 'evidence',
  version: 1,
  state: 'active',
  keyid: goodKeyid,
  body: utf8('{"sealed":"evidence 1"}'),
  from: 0,
  to: null,
  revokedAt: null,
  ...change,
})

/** The keys of a tenant: an evidence key and a log key, unless others are given. */
export const makeKeys = (keys?: readonly StoredKey[]): StoredKeys => ({
  slots: [
    { id: '01890a5d-ac96-774b-bcce-b302099a8001', body: utf8('{"slot":2}') },
    { id: '01890a5d-ac96-774b-bcce-b302099a8000', body: utf8('{"slot":1}') },
  ],
  keys: keys ?? [
    makeKey(),
    makeKey({
      keyId: '01890a5d-ac96-774b-bcce-b302099a8058',
      purpose: 'log',
      keyid: null,
      body: utf8('{"sealed":"log 1"}'),
    }),
  ],
  manifest: utf8('{"epoch":1}'),
})

/** A tenant that can be created. */
export const makeTenant = (name: string): Omit<Tenant, 'head'> => ({
  name,
  origin: `log.example/${name}`,
  profile: 'checkpoint',
  public: false,
  createdAt: 1_700_000_000_000,
})

/** What may differ from entry to entry; the rest is made up. */
export type EntryChange = Partial<Omit<NewEntry, 'index'>>

/** A decision's first entry with made-up bytes of realistic length. */
export function makeEntry(index: number, change: EntryChange = {}): NewEntry {
  const stream = change.stream ?? `stream-${index}`
  const leaf = utf8(`{"leaf":"${index} ${stream} ${change.seq ?? 0}","pad":"${'x'.repeat(400)}"}`)
  return {
    index,
    kind: 'decision',
    stream,
    seq: 0,
    time: 1_700_000_000_000 + 10 * index,
    keyid: goodKeyid,
    leaf,
    leafHash: sha256(leaf),
    payload: utf8(`{"payload":"${index} ${stream}","pad":"${'y'.repeat(200)}"}`),
    signature: new Uint8Array(randomBytes(64)),
    filter: { status: 'ALLOW', actor: 'agent-1', action: 'pay' },
    ...change,
  }
}

/** A commit on a head; roots, tiles and notes only look like ones. */
export function makeCommit(
  tenant: string,
  on: LogHead,
  entries: readonly NewEntry[],
  change: Partial<Commit> = {},
): Commit {
  const size = on.size + entries.length
  const root = entries.reduce(
    (hash, { leafHash }) => sha256(Buffer.concat([hash, leafHash])),
    on.root,
  )
  const time = entries.at(-1)?.time ?? on.time
  const n = Math.max(0, Math.ceil(size / 256) - 1)
  const hashes = new Uint8Array(randomBytes(32 * Math.max(1, size - 256 * n)))
  return {
    tenant,
    expected: { size: on.size, root: on.root },
    head: { size, root, time },
    entries,
    tiles: [{ level: 0, n, hashes }],
    checkpoint: { size, root, note: `log.example/${tenant}\n${size}\n\n— note\n`, time },
    keepCheckpoint: false,
    effects: [],
    ...change,
  }
}

/** Commits entries made from the changes given, on the head the tenant has, and gives the commit. */
export async function append(
  store: Store,
  tenant: string,
  changes: readonly EntryChange[],
  effects: readonly Effect[] = [],
  change: Partial<Commit> = {},
): Promise<Commit> {
  const head = (await store.readTenant(tenant))?.head ?? emptyHead
  const entries = changes.map((entry, i) => makeEntry(head.size + i, entry))
  const commit = makeCommit(tenant, head, entries, { effects, ...change })
  await store.commit(commit)
  return commit
}

import { expect, it, vi } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { enterNow, type Room } from '../../../src/decisions/room.ts'
import { Rooms } from '../../../src/decisions/rooms.ts'
import { fingerprint, formatTrustRoot, parseTrustRoot } from '../../../src/dossier/trust-root.ts'
import { checkTenant } from '../../support/fsck.ts'
import { foundTestService } from '../../support/service.ts'

/** What a version says of itself and of the one before. */
interface Said {
  readonly version: number
  readonly previous: string
}

/** Announces another version as whoever holds the keys may, by an entry and a file that say the same; gives its place. */
async function announce(room: Room, change: (honest: Said) => Said): Promise<number> {
  const before = await room.store.readTrustRoot('default')
  const head = await room.store.readStreamHead('default', 'trust')
  const section = before === undefined ? 'missing' : parseTrustRoot(before.file)
  if (before === undefined || head === undefined || typeof section === 'string')
    throw new Failure('BUG', 'No trust root')
  const said = change({ previous: before.sha256, version: before.version + 1 })
  const file = formatTrustRoot({ ...section, ...said })
  const sha256 = fingerprint(file)
  const { appended } = await enterNow(room, {
    effects: [{ trustRoot: { file, sha256, version: said.version }, type: 'trustRoot' }],
    kind: 'trust',
    matter: { ...said, sha256, time: room.clock() },
    prev: encodeHex(head.leafHash),
    seq: head.seq + 1,
    stream: 'trust',
  })
  return appended.index
}

it.each<[string, (honest: Said) => Said, string[]]>([
  ['nothing where each version names the one before', (honest) => honest, []],
  [
    'a version that names another before it',
    ({ version }) => ({ previous: 'ab'.repeat(32), version }),
    ['Trust root does not follow the one before it: version 2'],
  ],
  [
    'a version behind one that was never announced',
    ({ previous, version }) => ({ previous, version: version + 1 }),
    ['Trust root does not follow the one before it: version 3'],
  ],
])('finds %s', async (_, change, expected) => {
  const using = vi.spyOn(Rooms.prototype, 'use')
  const at = await foundTestService()
  const [rooms] = using.mock.contexts
  if (!(rooms instanceof Rooms)) throw new Error('No room was used')
  const index = await rooms.use('default', (room) => announce(room, change))
  await at.service.close()
  expect((await checkTenant(at)).findings).toEqual(
    expected.map((what) => ({ index, part: 'row', what })),
  )
})

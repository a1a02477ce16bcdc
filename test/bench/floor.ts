// Floors: what this machine can do at most in the same formats with no service around them. Each call does some operations and says how many.
import Database from 'better-sqlite3'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { encodeBase64 } from '../../src/base/base64.ts'
import { encodeHex } from '../../src/base/bytes.ts'
import { uuidv7 } from '../../src/base/uuid.ts'
import { randomNonce, sha256, sha512 } from '../../src/crypto/hash.ts'
import { preAuthEncoding } from '../../src/dossier/dsse.ts'
import { formatLeaf } from '../../src/dossier/leaf.ts'
import { formatStatement } from '../../src/dossier/statement.ts'
import { signCheckpoint } from '../../src/merkle/checkpoint.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { TileTree } from '../../src/merkle/tiles.ts'
import { composite, fast, log, matter, place } from './sample.ts'

function signEntry() {
  const [time, stream] = [Date.now(), uuidv7(Date.now(), randomNonce(10))]
  const payload = formatStatement({ ...place, stream }, randomNonce(16), { ...matter, id: stream })
  const encoded = preAuthEncoding(payload)
  const signature = fast.sign(encoded)
  const digests = { pae: encodeHex(sha512(encoded)), sig: encodeHex(sha256(signature)) }
  const leaf = formatLeaf({ ...place, ...digests, keyid: '0'.repeat(64), stream, time, v: 1 })
  return { encoded, leaf, payload, signature, stream }
}

const formatAnswer = (made: ReturnType<typeof signEntry>, proof: Uint8Array[], note: string) =>
  `{"entry":["${[made.payload, made.signature, made.leaf].map(encodeBase64).join('","')}"],` +
  `"proof":["${proof.map(encodeBase64).join('","')}"],"checkpoint":${note}}`

/** A log in a file of its own with nothing around it: commits rows, and makes whole decisions of which a call answers so many. */
export function createPipeline(file: string) {
  const db = new Database(file)
  db.exec('PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec('CREATE TABLE entries (stream TEXT UNIQUE, leaf BLOB, signature BLOB, payload BLOB)')
  const insert = db.prepare('INSERT INTO entries VALUES (@stream, @leaf, @signature, @payload)')
  const commit = db.transaction((rows: readonly object[]) => rows.map((row) => insert.run(row)))
  const tree = new TileTree(0, () => new Uint8Array(0))
  const pipeline = (batch: number) => {
    const entries = Array.from({ length: batch }, signEntry)
    tree.append(entries.map(({ leaf }) => leafHash(leaf)))
    const { size } = tree
    const note = JSON.stringify(signCheckpoint({ origin: 'bench', root: tree.root(), size }, log))
    commit(entries)
    const proofs = tree.inclusionProofs(size - batch)
    return entries.map((made, i) => formatAnswer(made, proofs[i] ?? [], note))
  }
  return { commit, pipeline }
}

/** The floors on a directory, which must lie on a disk; each says how many operations one call of it does. */
export function createFloors(directory: string) {
  const { commit, pipeline } = createPipeline(join(directory, 'floor.db'))
  const [entry, answer] = [signEntry(), pipeline(1)[0] ?? '']
  const newId = () => uuidv7(Date.now(), randomNonce(10))
  const rows = () => Array.from({ length: 256 }, () => ({ ...entry, stream: newId() }))
  const bytes = Buffer.from(answer)
  const http: RequestListener = (request, response) => {
    void json(request).then((value) => {
      response.writeHead(value === null ? 400 : 201, { 'Content-Length': bytes.length }).end(bytes)
    })
  }
  return {
    ed25519: { operations: 1, run: () => fast.sign(entry.encoded) },
    composite: { operations: 1, run: () => composite.sign(entry.encoded) },
    sqliteRows: { operations: 256, run: () => commit(rows()) },
    pipeline: { operations: 64, run: () => pipeline(64) },
    http,
  }
}

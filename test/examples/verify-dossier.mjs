// Node 24 alone: is the first entry of a dossier (profile `each`) signed, and in the log? Every rule stands in src/dossier/README.md.
import { hash, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
const [dossier, trust] = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')))
const bytes = (text, encoding = 'base64') => Buffer.from(text, encoding)
const cat = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)))
const sha = (...parts) => hash('sha256', cat(...parts), 'buffer')
const u64 = (n) => bytes(Number(n).toString(16).padStart(16, '0'), 'hex')
const say = (what, ok) => console.log(ok ? 'ok  ' : ((process.exitCode = 1), 'FAIL'), what)
const signed = (alg, x, text, sig, context, kty = alg === 'Ed25519' ? 'OKP' : 'AKP') =>
  verify(null, text, { context, format: 'jwk', key: { alg, crv: alg, kty, pub: x, x } }, sig)
const climb = (i, n, k = 2 ** Math.floor(Math.log2(n - 1)), top = n > 1 && bytes(proof.pop())) =>
  n < 2 ? sha([0], leaf) : i < k ? sha([1], climb(i, k), top) : sha([1], top, climb(i - k, n - k))
const [origin, size, root, , ...lines] = dossier.checkpoint.split('\n')
const { keys, logKeys } = trust.origins.find((section) => section.origin === origin)
const [{ index, proof, ...entry }] = dossier.entries
const [leaf, payload, sig] = [entry.leaf, entry.payload, entry.signature].map((text) => bytes(text))
const said = JSON.parse(leaf)
const pae = cat(`DSSEv1 28 application/vnd.in-toto+json ${payload.length} `, payload)
say('leaf', said.pae === hash('sha512', pae) && said.sig === hash('sha256', sig))
say('inclusion', climb(index, Number(size)).equals(bytes(root)) && proof.length === 0)
const [label, ctx] = ['COMPSIG-MLDSA65-Ed25519-SHA512', `countersign/${said.kind}/v1`]
const m = cat('CompositeAlgorithmSignatures2025', label, [ctx.length], ctx, bytes(said.pae, 'hex'))
const key = bytes(keys.find(({ keyid }) => keyid === said.keyid).publicKey)
const halves = [key.toString('base64url', 0, 1952), key.toString('base64url', 1952)]
say('entry, ML-DSA-65', signed('ML-DSA-65', halves[0], m, sig.subarray(0, 3309), cat(label)))
say('entry, Ed25519', signed('Ed25519', halves[1], m, sig.subarray(3309)))
const name = cat([origin.length], origin)
const tree = cat('subtree/v1\n\0', name, u64(0), name, u64(0), u64(size), bytes(root))
const note = cat(`${origin}\n${size}\n${root}\n`)
const counts = ({ from, to }, at) => from <= at && (to === null || at < to)
const due = logKeys.filter((key) => counts(key, size))
say('log keys', due.length === 2)
for (const key of due.map(({ vkey }) => bytes(vkey.replace(/^.+?\+.{8}\+/, '')))) {
  const [alg, text, start] = key[0] === 1 ? ['Ed25519', note, 4] : ['ML-DSA-44', tree, 12]
  const blobs = lines.map((line) => bytes(line.split(' ').at(-1)).subarray(start))
  const good = (blob) => signed(alg, key.toString('base64url', 1), text, blob)
  say(`checkpoint, ${alg}`, blobs.some(good))
}

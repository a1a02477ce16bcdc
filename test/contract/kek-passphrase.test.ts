import { Secret } from '../../src/crypto/secret.ts'
import type { KekProvider } from '../../src/kek/kek.ts'
import { makePassphrase } from '../../src/kek/passphrase-text.ts'
import { createPassphraseKek } from '../../src/kek/passphrase.ts'
import { kekSuite } from './kek-suite.ts'

/** What somebody has on paper. */
interface Paper {
  text: Secret
  readonly salt: Uint8Array
}

const papers = new WeakMap<KekProvider, Paper>()

function type(paper: Paper): KekProvider {
  const typed = new Secret(paper.text.use((bytes) => bytes.slice()))
  const provider = createPassphraseKek(typed, paper.salt)
  papers.set(provider, paper)
  return provider
}

const paperOf = (provider: KekProvider): Paper => {
  const paper = papers.get(provider)
  if (paper === undefined) throw new Error('Nobody has its passphrase')
  return paper
}

let count = 0
const write = (): KekProvider =>
  type({ text: makePassphrase(), salt: new Uint8Array(16).fill(++count) })

// Two by turns, because deriving a key for each test would take longer than all the rest.
const shared = [write(), write()] as const
let turn = 0

kekSuite('passphrase', {
  create: () => shared[turn++ % 2 === 0 ? 0 : 1],
  createAlone: write,
  restart: (provider) => type(paperOf(provider)),
  exchange: {
    // Another passphrase, which wraps under a salt of its own.
    befall(provider) {
      papers.set(provider, { text: makePassphrase(), salt: new Uint8Array(16).fill(++count) })
    },
    running: 'opens',
    restarted: 'OPEN_FAILED',
  },
})

// What is signed and logged as it should be, and still does not make a story: steps dropped, doubled or taken from elsewhere, a decision used beyond
// its leave, payloads missing without a word. Most of these are made by the holder of every key.
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { concat, fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { logHolds, operatorHolds, type Draft, type Step } from '../../support/forge.ts'
import {
  dossierOf,
  entryOf,
  type Attack,
  type DossierDraft,
  type EntryDraft,
} from '../../support/forge-dossier.ts'
import { digestOf, registrationOf } from '../../support/forge-policy.ts'
import {
  decisionOf,
  erasureOf,
  executionOf,
  streams,
  type World,
} from '../../support/forge-world.ts'
import {
  append,
  attack,
  ends,
  refused,
  stepAt,
  type Evidence,
  type Forgery,
  type Tenant,
} from './forgery.ts'

const chain = 'stream.chain'
const { allow, block, erased, open, rich, shadow } = streams

/** Dossiers put together of genuine entries, without any key. */
function ofParts(world: World): Forgery[] {
  const on =
    (tenant: Tenant, stream: string) =>
    (dossier: (draft: DossierDraft) => void): Evidence =>
      attack(world, tenant, stream, { dossier })
  const onOpen = on('each', open)
  const foreign = (tenant: Tenant, stream: string) => dossierOf(world[tenant], stream).entries
  return (['each', 'fast'] as const).flatMap((tenant) => [
    refused(`${tenant}: the decision dropped`, chain, () =>
      on(tenant, open)((draft) => draft.entries.shift()),
    ),
    refused(`${tenant}: a step in the middle dropped`, chain, () =>
      on(tenant, open)((draft) => draft.entries.splice(1, 1)),
    ),
    refused(`${tenant}: the decision twice`, chain, () =>
      on(tenant, open)((draft) => draft.entries.unshift(...draft.entries.slice(0, 1))),
    ),
    refused(`${tenant}: the last step twice`, chain, () =>
      on(tenant, open)((draft) => draft.entries.push(...draft.entries.slice(-1))),
    ),
    refused(`${tenant}: steps in the other order`, chain, () =>
      on(tenant, open)((draft) => draft.entries.reverse()),
    ),
    refused(`${tenant}: a step of another decision`, chain, () =>
      on(tenant, open)((draft) => draft.entries.push(...foreign(tenant, allow).slice(1))),
    ),
    refused(`${tenant}: the step of another decision in its place`, chain, () =>
      on(tenant, open)((draft) => draft.entries.splice(1, 1, ...foreign(tenant, allow).slice(1))),
    ),
    refused(`${tenant}: an erasure of another decision`, chain, () =>
      on(tenant, open)((draft) => draft.entries.push(...foreign(tenant, erased).slice(2))),
    ),
    refused(`${tenant}: the name of another stream`, chain, () =>
      on(tenant, open)((draft) => (draft.stream = allow)),
    ),
    refused(`${tenant}: the name of no stream`, chain, () =>
      on(tenant, open)((draft) => (draft.stream = '')),
    ),
    refused(`${tenant}: a name that every object has`, chain, () =>
      on(tenant, open)((draft) => (draft.stream = 'constructor')),
    ),
    refused(`${tenant}: a decision as the stream of keys`, chain, () =>
      on(tenant, block)((draft) => (draft.stream = 'keys')),
    ),
    refused(`${tenant}: keys as a decision’s stream`, chain, () =>
      on(tenant, 'keys')((draft) => (draft.stream = allow)),
    ),
    ...ofProofs(world, tenant, on(tenant, open)),
    refused(`${tenant}: the same stream out of another tenant`, 'entries[0].inclusion', () =>
      on(tenant, open)((draft) => (draft.entries = foreign('seen', open))),
    ),
    refused(
      `${tenant}: one step of the same stream out of another tenant`,
      'entries[1].inclusion',
      () =>
        on(
          tenant,
          open,
        )((draft) => draft.entries.splice(1, 1, ...foreign('seen', open).slice(1, 2))),
    ),
    refused(`${tenant}: the payload of another entry`, 'entries[0].payload', () =>
      on(
        tenant,
        open,
      )(({ entries: [first] }) => {
        if (first !== undefined) first.payload = foreign(tenant, block)[0]?.payload ?? null
      }),
    ),
    refused(`${tenant}: the leaf of another entry`, 'entries[0].inclusion', () =>
      on(
        tenant,
        open,
      )(({ entries: [first] }) => {
        const leaf = foreign(tenant, block)[0]?.leaf
        if (first !== undefined && leaf !== undefined) first.leaf = leaf
      }),
    ),
    refused(`${tenant}: a leaf in another form`, 'entries[0].leaf', () =>
      on(
        tenant,
        open,
      )(({ entries: [first] }) => {
        if (first !== undefined) first.leaf = concat(first.leaf, utf8(' '))
      }),
    ),
    refused(`${tenant}: an empty leaf`, 'entries[0].leaf', () =>
      onOpen(({ entries: [first] }) => {
        if (first !== undefined) first.leaf = new Uint8Array(0)
      }),
    ),
    refused(`${tenant}: a leaf of 1025 bytes`, 'entries[0].leaf', () =>
      on(
        tenant,
        open,
      )(({ entries: [first] }) => {
        if (first !== undefined) first.leaf = new Uint8Array(1025).fill(0x20)
      }),
    ),
  ])
}

function ofProofs(
  world: World,
  tenant: Tenant,
  on: (dossier: (draft: DossierDraft) => void) => Evidence,
): Forgery[] {
  const { log } = world[tenant]
  const changes: Readonly<Record<string, (proof: readonly Uint8Array[]) => Uint8Array[]>> = {
    'no proof': () => [],
    'a proof without its first hash': (proof) => proof.slice(1),
    'a proof without its last hash': (proof) => proof.slice(0, -1),
    'a proof with a hash too many': (proof) => [...proof, new Uint8Array(32)],
    'a proof in the other order': (proof) => proof.toReversed(),
    'a proof with a short hash': (proof) => proof.map((hash) => hash.subarray(1)),
    'the proof of another entry': () => [...entryOf(log, 7).proof],
    'the proof of another tenant': () => [...entryOf(world.seen.log, 9).proof],
    'the proof at another size': () => [...entryOf(log, 9, log.size - 1).proof],
  }
  return [
    ...Object.entries(changes).map(([name, change]) =>
      refused(`${tenant}: ${name}`, 'entries[0].inclusion', () =>
        on(({ entries: [first] }) => {
          if (first !== undefined) first.proof = change(first.proof)
        }),
      ),
    ),
    ...[-1, 1, 1000, -9].map((by) =>
      refused(`${tenant}: an index moved by ${by}`, 'entries[0].inclusion', () =>
        on(({ entries: [first] }) => {
          if (first !== undefined) first.index += by
        }),
      ),
    ),
  ]
}

/** What the operator logs of a decision that does not allow it. */
function ofUse(world: World): Forgery[] {
  const name = 'stream.executions'
  const executed = (stream: string, ...uses: readonly Draft[]): Attack => ({
    holds: operatorHolds,
    steps(steps) {
      for (const use of uses) append(steps, 'execution', stream, executionOf(stream, 1, use))
    },
  })
  const finished = { phase: 'finished' }
  const as = (status: string, ...uses: readonly Draft[]): Attack => ({
    holds: operatorHolds,
    steps(steps) {
      stepAt(steps, block).matter['status'] = status
      for (const use of uses) append(steps, 'execution', block, executionOf(block, 1, use))
    },
  })
  return (['each', 'fast'] as const).flatMap((tenant) => {
    const on = (stream: string, does: Attack): Evidence => attack(world, tenant, stream, does)
    return [
      ...['BLOCK', 'ESCALATE', 'REVIEW_REQUIRED', 'ERROR'].map((status) =>
        refused(`${tenant}: ${status} was executed`, name, () => on(block, as(status, {}))),
      ),
      refused(`${tenant}: a BLOCK was executed and finished`, name, () =>
        on(block, executed(block, {}, finished)),
      ),
      refused(`${tenant}: a BLOCK was finished`, name, () => on(block, executed(block, finished))),
      refused(`${tenant}: a shadow decision was executed`, name, () =>
        on(shadow, executed(shadow, {})),
      ),
      refused(`${tenant}: a shadow decision was finished`, name, () =>
        on(shadow, executed(shadow, finished)),
      ),
      refused(`${tenant}: a second use of one`, name, () => on(allow, executed(allow, { use: 2 }))),
      refused(`${tenant}: the first use twice`, name, () => on(open, executed(open, { use: 1 }))),
      refused(`${tenant}: a use left out`, name, () => on(open, executed(open, { use: 4 }))),
      refused(`${tenant}: the second use first`, name, () => on(rich, executed(rich, { use: 2 }))),
      refused(`${tenant}: a use finished that never started`, name, () =>
        on(rich, executed(rich, finished)),
      ),
      refused(`${tenant}: a use finished twice`, name, () =>
        on(open, executed(open, finished, finished)),
      ),
      refused(`${tenant}: a fourth use of three`, name, () =>
        on(rich, executed(rich, {}, { use: 2 }, { use: 3 }, { use: 4 })),
      ),
      refused(`${tenant}: a use of another decision`, name, () =>
        on(open, executed(open, { decision: allow, use: 3 })),
      ),
      refused(`${tenant}: use 0`, 'entries[3].matter', () => on(open, executed(open, { use: 0 }))),
      refused(`${tenant}: a phase that is none`, 'entries[3].matter', () =>
        on(open, executed(open, { phase: 'paused', use: 3 })),
      ),
      refused(`${tenant}: a BLOCK executed, and the execution erased`, name, () =>
        on(block, {
          holds: operatorHolds,
          steps(steps) {
            append(steps, 'execution', block, executionOf(block, 1), { erased: true })
            append(steps, 'erasure', block, erasureOf(block, [1]))
          },
        }),
      ),
      refused(`${tenant}: uses beyond the bound, the first erased`, name, () =>
        on(allow, {
          holds: operatorHolds,
          steps(steps) {
            stepAt(steps, allow, 1).erased = true
            append(steps, 'execution', allow, executionOf(allow, 2))
            append(steps, 'erasure', allow, erasureOf(allow, [1]))
          },
        }),
      ),
    ]
  })
}

/** Erasures that do not account for what is missing. */
function ofErasures(world: World): Forgery[] {
  const name = 'stream.erasure'
  const gone =
    (...seqs: number[]) =>
    ({ entries }: DossierDraft): void => {
      for (const seq of seqs) if (entries[seq] !== undefined) entries[seq].payload = null
    }
  return (['each', 'fast'] as const).flatMap((tenant) => {
    const on = (stream: string, does: Attack): Evidence => attack(world, tenant, stream, does)
    const erasing = (stream: string, seqs: number[], change: Draft = {}): Attack => ({
      dossier: gone(0),
      holds: operatorHolds,
      steps(steps) {
        append(steps, 'erasure', stream, erasureOf(stream, seqs, change))
      },
    })
    return [
      refused(`${tenant}: a payload missing without an erasure`, name, () =>
        on(allow, { dossier: gone(0) }),
      ),
      refused(`${tenant}: the payload of an execution missing`, name, () =>
        on(allow, { dossier: gone(1) }),
      ),
      refused(`${tenant}: every payload missing`, name, () => on(allow, { dossier: gone(0, 1) })),
      refused(`${tenant}: the payload of an erasure missing`, name, () =>
        on(erased, { dossier: gone(0, 1, 2) }),
      ),
      refused(`${tenant}: an erasure of another step`, name, () => on(open, erasing(open, [1]))),
      refused(`${tenant}: an erasure of itself`, name, () => on(open, erasing(open, [0, 3]))),
      refused(`${tenant}: an erasure of a later step`, name, () => on(open, erasing(open, [0, 9]))),
      refused(`${tenant}: an erasure of another stream`, name, () =>
        on(open, erasing(open, [0], { stream: allow })),
      ),
      refused(`${tenant}: an erasure of no step`, 'entries[3].matter', () =>
        on(open, erasing(open, [])),
      ),
      refused(`${tenant}: an erasure without a reason`, 'entries[3].matter', () =>
        on(open, erasing(open, [0], { reason: '' })),
      ),
      refused(`${tenant}: an erasure by the holder of the log keys`, 'entries[3].signature', () =>
        on(open, { ...erasing(open, [0]), holds: logHolds }),
      ),
      refused(`${tenant}: a payload of a system stream missing`, name, () =>
        on('admin', { dossier: gone(0) }),
      ),
      refused(`${tenant}: a system stream erased`, chain, () =>
        on('admin', {
          dossier: gone(0),
          holds: operatorHolds,
          steps(steps) {
            append(steps, 'erasure', 'admin', erasureOf(allow, [0]))
          },
        }),
      ),
      ends('erased', `${tenant}: an erasure beside the payload it names`, name, () =>
        on(block, {
          holds: operatorHolds,
          steps(steps) {
            append(steps, 'erasure', block, erasureOf(block, [0]))
          },
        }),
      ),
    ]
  })
}

type StepChange = readonly [name: string, change: (step: Step) => void]

/** Steps that the operator signs for their place, and the place is wrong. */
const ofChain = (world: World): Forgery[] =>
  (
    [
      ['of step 2 after 0', (step) => (step.seq = 2)],
      ['of step 0 after 0', (step) => (step.seq = 0)],
      ['after nothing', (step) => (step.prev = null)],
      ['after something else', (step) => (step.prev = 'ab'.repeat(32))],
      ['before its predecessor in time', (step) => (step.time = 1)],
      ['of another kind of stream', (step) => (step.kind = 'trust')],
      ['that decides again', (step) => (step.kind = 'decision')],
    ] satisfies readonly StepChange[]
  ).map(([what, change]) =>
    refused(`a step ${what}`, what.includes('again') ? 'stream.decision' : chain, () =>
      attack(world, 'each', allow, {
        dossier({ entries }) {
          entries.sort((a, b) => a.index - b.index)
        },
        holds: operatorHolds,
        steps(steps) {
          const step = stepAt(steps, allow, 1)
          change(step)
          if (step.kind === 'trust')
            step.matter = { previous: null, sha256: 'ab'.repeat(32), time: 1, version: 1 }
          if (step.kind === 'decision') step.matter = decisionOf(allow)
        },
      }),
    ),
  )

const ofFirstSteps = (world: World): Forgery[] => [
  refused('a stream that begins with an execution', 'stream.decision', () =>
    attack(world, 'each', allow, {
      holds: operatorHolds,
      steps(steps) {
        const step = stepAt(steps, allow)
        step.kind = 'execution'
        step.matter = executionOf(allow, 1)
      },
    }),
  ),
  refused('a decision of another id than its stream', 'stream.decision', () =>
    attack(world, 'each', block, {
      holds: operatorHolds,
      steps(steps) {
        stepAt(steps, block).matter['id'] = allow
      },
    }),
  ),
  refused('a first step that has a predecessor', chain, () =>
    attack(world, 'each', block, {
      holds: operatorHolds,
      steps(steps) {
        stepAt(steps, block).prev = 'ab'.repeat(32)
      },
    }),
  ),
  refused('a first step that is not the first', chain, () =>
    attack(world, 'each', block, {
      holds: operatorHolds,
      steps(steps) {
        stepAt(steps, block).seq = 1
      },
    }),
  ),
  ...(
    [
      ['approval', 'stream.override'],
      ['override', 'stream.override'],
      ['escalation', 'stream.escalation'],
    ] as const
  ).flatMap(([kind, story]) => [
    refused(`an ${kind} that is none`, 'entries[1].matter', () =>
      attack(world, 'each', block, {
        holds: operatorHolds,
        steps(steps) {
          append(steps, kind, block, { anything: true })
        },
      }),
    ),
    ends('erased', `an ${kind} that was erased`, story, () =>
      attack(world, 'each', block, {
        holds: operatorHolds,
        steps(steps) {
          append(steps, kind, block, { anything: true }, { erased: true })
          append(steps, 'erasure', block, erasureOf(block, [1]))
        },
      }),
    ),
  ]),
]

/** Citations of policies. */
function ofCitations(world: World): Forgery[] {
  const first = world.each.log.size
  const citing = (
    dossier: (draft: DossierDraft, cite: (index: number) => EntryDraft) => void,
    named: readonly number[] = [first],
    [one, two]: readonly Draft[] = [registrationOf('1'), registrationOf('2')],
  ): Evidence =>
    attack(world, 'each', rich, {
      dossier(draft, log) {
        dossier(draft, (index) => entryOf(log, index))
      },
      holds: operatorHolds,
      steps(steps) {
        const digests = [digestOf('1'), digestOf('2')]
        const cited = named.map((index) => ({
          id: `policy-${index}`,
          index,
          sha256: digests[index - first] ?? digestOf('1'),
        }))
        stepAt(steps, rich).matter['policies'] = cited
        append(steps, 'policy', 'policies', one ?? {})
        append(steps, 'policy', 'policies', two ?? {})
      },
    })
  return [
    refused('a policy cited that is none', 'cited[0].matter', () =>
      citing((draft, cite) => draft.cited.push(cite(first)), [first], [{ anything: true }]),
    ),
    refused('a policy cited that is another than the one named', 'cited.policy', () =>
      citing((draft, cite) => draft.cited.push(cite(first)), [first], [registrationOf('3')]),
    ),
    refused('a policy named twice at one index, by another digest too', 'cited.policy', () =>
      attack(world, 'each', rich, {
        dossier(draft, log) {
          draft.cited.push(entryOf(log, first))
        },
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, rich).matter['policies'] = ['1', '2'].map((version) => ({
            id: 'payments',
            index: first,
            sha256: digestOf(version),
          }))
          append(steps, 'policy', 'policies', registrationOf('1'))
        },
      }),
    ),
    refused('a policy cited whose record has another digest', 'cited.policy', () =>
      citing(
        (draft, cite) => draft.cited.push(cite(first)),
        [first],
        [registrationOf('1', { record: registrationOf('2')['record'] })],
      ),
    ),
    refused('a policy cited by its retirement', 'cited.policy', () =>
      citing(
        (draft, cite) => draft.cited.push(cite(first + 1)),
        [first + 1],
        [
          registrationOf('2'),
          {
            by: registrationOf('1')['by'],
            event: 'retired',
            index: first,
            reason: 'r',
            sha256: digestOf('2'),
            time: 0,
          },
        ],
      ),
    ),
    ends('inconclusive', 'a policy named and not cited', 'cited.present', () =>
      citing(() => undefined),
    ),
    refused('a policy cited and not named', 'cited.named', () =>
      citing((draft, cite) => draft.cited.push(cite(first), cite(first + 1))),
    ),
    refused('a policy cited twice', 'cited', () =>
      citing((draft, cite) => draft.cited.push(cite(first), cite(first))),
    ),
    refused('policies cited in another order', 'cited', () =>
      citing((draft, cite) => draft.cited.push(cite(first + 1), cite(first)), [first, first + 1]),
    ),
    refused('an entry cited that is no policy', 'cited', () =>
      citing((draft, cite) => draft.cited.push(cite(4)), [4]),
    ),
    refused('a policy cited without its payload', 'cited.payload', () =>
      citing((draft, cite) => draft.cited.push({ ...cite(first), payload: null })),
    ),
    refused('a policy cited at another index', 'cited[0].inclusion', () =>
      citing((draft, cite) => draft.cited.push({ ...cite(first), index: first + 1 })),
    ),
    refused('a policy cited with another signature', 'cited[0].signature-digest', () =>
      citing((draft, cite) =>
        draft.cited.push({ ...cite(first), signature: cite(first + 1).signature }),
      ),
    ),
    refused('a policy cited where nothing was decided', 'cited.named', () =>
      attack(world, 'each', 'admin', {
        dossier(draft, log) {
          draft.cited.push(entryOf(log, log.size - 1))
        },
        holds: operatorHolds,
        steps(steps) {
          append(steps, 'policy', 'policies', registrationOf('1'))
        },
      }),
    ),
  ]
}

type Write = (payload: Uint8Array) => Uint8Array
const rewritten =
  (from: string | RegExp, to: string): Write =>
  (bytes) => {
    const text = fromUtf8(bytes)
    const other = text.replace(from, to)
    if (other === text) throw new Error(`Nothing to rewrite: ${String(from)}`)
    return utf8(other)
  }

/** Other texts of the same JSON, and no JSON at all, signed by the operator. */
const payloads: Readonly<Record<string, Write>> = {
  'a space at its end': (payload) => concat(payload, utf8(' ')),
  'a newline at its end': (payload) => concat(payload, utf8('\n')),
  'a byte order mark': (payload) => concat(Uint8Array.of(0xef, 0xbb, 0xbf), payload),
  'a space between members': rewritten(',"predicate"', ', "predicate"'),
  'members in another order': rewritten(/^\{("_type":"[^"]+"),(.*)\}$/, '{$2,$1}'),
  'a letter escaped': rewritten('"ALLOW"', '"\\u0041LLOW"'),
  'a slash escaped': rewritten('in-toto.io/', 'in-toto.io\\/'),
  'a number with a fraction': rewritten('"maxUses":1', '"maxUses":1.0'),
  'a number with an exponent': rewritten('"maxUses":1', '"maxUses":1e0'),
  'a negative zero': rewritten('"seq":0', '"seq":-0'),
  'a name twice': rewritten('"seq":0', '"seq":0,"seq":0'),
  'a prototype': rewritten('"trace":null', '"trace":{"__proto__":null}'),
  'an integer that no number holds': rewritten('"trace":null', '"trace":9007199254740993'),
  'a number that overflows': rewritten('"trace":null', '"trace":1e999'),
  'half a surrogate': rewritten('"trace":null', '"trace":"\\ud800"'),
  'bytes that are not UTF-8': (payload) => concat(payload, Uint8Array.of(0xff)),
  'too many levels': rewritten('"trace":null', `"trace":${'['.repeat(70)}${']'.repeat(70)}`),
  'its last byte cut': (payload) => payload.subarray(0, -1),
  'nothing in it': () => new Uint8Array(0),
  'null in it': () => utf8('null'),
  'an array in it': () => utf8('[]'),
  'a member too many': rewritten('{"_type"', '{"A":1,"_type"'),
  'a predicate with a member too many': rewritten(/("tenant":"\w+")\}/, '$1,"z":1}'),
  'two subjects': rewritten(/"subject":\[(.*)\]/, '"subject":[$1,$1]'),
  'another statement type': rewritten('Statement/v1', 'Statement/v2'),
  'another predicate version': rewritten('decision:v1"', 'decision:v2"'),
}

const ofPayloads = (world: World): Forgery[] =>
  Object.entries(payloads).map(([name, payload]) =>
    refused(`a payload with ${name}`, 'entries[0].statement', () =>
      attack(world, 'each', allow, {
        holds: operatorHolds,
        steps(steps) {
          stepAt(steps, allow).payload = payload
        },
      }),
    ),
  )

type FileChange = (dossier: Draft) => void
const entry = (dossier: Draft): Draft => (dossier['entries'] as [Draft])[0]

const members: Readonly<Record<string, FileChange>> = {
  'another version': (dossier) => (dossier['v'] = 2),
  'another media type': (dossier) => (dossier['mediaType'] = 'application/json'),
  'a member too many': (dossier) => (dossier['keys'] = []),
  'no entries': (dossier) => (dossier['entries'] = []),
  'entries that are none': (dossier) => (dossier['entries'] = {}),
  'an entry with a member too many': (dossier) => (entry(dossier)['key'] = 'mine'),
  'an index in quotes': (dossier) => (entry(dossier)['index'] = '6'),
  'an index with a fraction': (dossier) => (entry(dossier)['index'] = 6.5),
  'a negative index': (dossier) => (entry(dossier)['index'] = -6),
  'a signature in hex': (dossier) => (entry(dossier)['signature'] = 'zz'),
  'a signature without its padding': (dossier) =>
    (entry(dossier)['signature'] = encodeBase64(new Uint8Array(1)).slice(0, 2)),
  'a signature with stray bits': (dossier) => (entry(dossier)['signature'] = 'AB=='),
  'a signature in URL letters': (dossier) => (entry(dossier)['signature'] = '-_-_'),
  'a signature with a newline': (dossier) => (entry(dossier)['signature'] = 'AAAA\n'),
  'a proof of 64 hashes': (dossier) =>
    (entry(dossier)['proof'] = Array.from({ length: 64 }, () => encodeBase64(new Uint8Array(32)))),
  'a checkpoint that is no text': (dossier) => (dossier['checkpoint'] = null),
}

const texts: Readonly<Record<string, Write>> = {
  'spaces in it': (file) => utf8(JSON.stringify(JSON.parse(fromUtf8(file)), null, 1)),
  'a newline at its end': (file) => concat(file, utf8('\n')),
  'a byte order mark before it': (file) => concat(Uint8Array.of(0xef, 0xbb, 0xbf), file),
  'its members in another order': rewritten(/^\{(.*),("v":1)\}$/s, '{$2,$1}'),
  'a stream named twice': rewritten('"v":1}', '"v":1,"v":1}'),
  'an em dash escaped': rewritten('—', '\\u2014'),
  'half of it': (file) => file.subarray(0, file.length / 2),
  'nothing in it': () => new Uint8Array(0),
  'null in it': () => utf8('null'),
}

const ofFiles = (world: World): Forgery[] => [
  ...Object.entries(members).map(([name, change]) =>
    refused(`a dossier with ${name}`, 'dossier.format', () => {
      const { file } = attack(world, 'each', allow, {})
      const dossier = JSON.parse(fromUtf8(file)) as Draft
      change(dossier)
      return { file: canonicalBytes(dossier) }
    }),
  ),
  ...['cited', 'checkpoint', 'entries', 'mediaType', 'stream', 'v'].map((name) =>
    refused(`a dossier without ${name}`, 'dossier.format', () => {
      const dossier = JSON.parse(fromUtf8(attack(world, 'each', allow, {}).file)) as Draft
      Reflect.deleteProperty(dossier, name)
      return { file: canonicalBytes(dossier) }
    }),
  ),
  ...Object.entries(texts).map(([name, change]) =>
    refused(`a dossier with ${name}`, 'dossier.format', () => ({
      file: change(attack(world, 'each', allow, {}).file),
    })),
  ),
]

/** Forgeries of the story that entries tell together. */
export const forgedStories = (world: World): Forgery[] => [
  ...ofParts(world),
  ...ofUse(world),
  ...ofErasures(world),
  ...ofChain(world),
  ...ofFirstSteps(world),
  ...ofCitations(world),
  ...ofPayloads(world),
  ...ofFiles(world),
]

import fc from 'fast-check'

// What parsers trip over: tokens of JSON, YAML, Markdown and patterns, names of every object, numbers at the edge of doubles, characters at the edge of text.
const tokens = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    "'",
    '\\',
    '\n',
    '\t',
    ' ',
    '- ',
    '#',
    '&a ',
    '*a',
    '<<: ',
    '!!str ',
    '|',
    '>',
    '?',
    '---\n',
    '```',
  ],
  ...[
    '(',
    ')',
    '*',
    '+',
    '{2,1}',
    '(?',
    '(?P<a>',
    '\\1',
    '$',
    '^',
    '|',
    '[^',
    '\\p{Lu}',
    '..',
    '\\.',
  ],
  ...[
    'null',
    'true',
    '0',
    '-0',
    '1e400',
    '.nan',
    '.inf',
    '9007199254740993',
    '1_000',
    '0x1f',
    '2026-01-01',
    'yes',
  ],
  ...['__proto__', 'constructor', 'toString', 'kind', 'matchers', 'value', 'when', 'rules'],
  ...['\u0000', '\ud800', '\u2028', '\ufeff', 'é', '😀', 'İ'],
]

type Edit = readonly [at: number, length: number, insert: string]

const edit: fc.Arbitrary<Edit> = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.oneof(fc.constant(0), fc.nat(3), fc.nat(40)),
  fc.oneof(
    fc.constant(''),
    fc.constantFrom(...tokens),
    fc.string({ unit: 'binary', maxLength: 4 }),
  ),
)

const applyEdit = (text: string, [at, length, insert]: Edit): string => {
  const start = Math.floor(at * text.length)
  return text.slice(0, start) + insert + text.slice(start + length)
}

/** Texts that are one of the samples after a few edits, runs of tokens, or anything. */
export const hostileText = (...samples: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom(...samples), fc.array(edit, { maxLength: 4 }))
        .map(([text, edits]) => edits.reduce(applyEdit, text)),
    },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.constantFrom(...tokens), { maxLength: 40 })
        .map((parts) => parts.join('')),
    },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  )

const anyValue = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true })

type Change = readonly [
  path: readonly number[],
  how: 'replace' | 'remove' | 'rename',
  value: unknown,
]

const change: fc.Arbitrary<Change> = fc.tuple(
  fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }),
  fc.constantFrom('replace', 'replace', 'remove', 'rename'),
  fc.oneof(
    anyValue,
    fc.constantFrom<unknown>(...tokens, NaN, Infinity, -1, 2 ** 60, null, [], {}, 'x'.repeat(300)),
  ),
)

/** The value with one node changed: the path says at each level which member, modulo their number. */
function applyChange(value: unknown, [[step, ...rest], how, by]: Change): unknown {
  if (typeof value !== 'object' || value === null || step === undefined) return by
  const members = Object.entries(value)
  const at = members[step % Math.max(1, members.length)]
  if (at === undefined) return by
  const deeper = rest.length > 0 && typeof at[1] === 'object' && at[1] !== null
  const next = deeper ? applyChange(at[1], [rest, how, by]) : by
  const changed = members.flatMap(([name, member]): [string, unknown][] => {
    if (name !== at[0]) return [[name, member]]
    if (deeper || how === 'replace') return [[name, next]]
    return how === 'remove' ? [] : [[typeof by === 'string' ? by : 'other', member]]
  })
  return Array.isArray(value) ? changed.map(([, member]) => member) : Object.fromEntries(changed)
}

/** Values that are one of the samples with a few nodes changed, or anything. */
export const hostileValue = (...samples: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(fc.constantFrom(...samples), fc.array(change, { maxLength: 3 }))
        .map(([value, changes]) => changes.reduce<unknown>(applyChange, value)),
    },
    { weight: 1, arbitrary: anyValue },
  )

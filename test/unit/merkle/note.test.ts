import { describe, expect, it } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../../src/base/base64.ts'
import { encodeHex } from '../../../src/base/bytes.ts'
import { limits } from '../../../src/base/limits.ts'
import { ed25519Note } from '../../../src/merkle/note-signature.ts'
import {
  createVkey,
  formatNote,
  formatNoteLine,
  formatVkey,
  noteKeyId,
  parseNote,
  parseVkey,
  type SignedNote,
  type Vkey,
} from '../../../src/merkle/note.ts'

// The example of C2SP signed-note.
const vkeyText = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const blob =
  'Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM='
const text = 'This is an example message.\n'
const note = `${text}\n— example.com/foo ${blob}\n`

function parsed(input: string): SignedNote {
  const result = parseNote(input)
  if (typeof result === 'string') throw new Error(result)
  return result
}

function vkeyOf(input: string): Vkey {
  const result = parseVkey(input)
  if (typeof result === 'string') throw new Error(result)
  return result
}

/** A line whose blob is a good one for the syntax. */
const line = (name: string): string => `— ${name} ${blob}\n`

describe('the example of the standard', () => {
  const vkey = vkeyOf(vkeyText)

  it('has a verifier key that reads and writes as it stands', () => {
    expect(vkey).toMatchObject({ name: 'example.com/foo', keyId: 0x530d903a, type: 1 })
    expect(vkey.publicKey.length).toBe(32)
    expect(formatVkey(vkey)).toBe(vkeyText)
    expect(noteKeyId(vkey.name, vkey.type, vkey.publicKey)).toBe(0x530d903a)
  })

  it('reads and writes as it stands', () => {
    const { text: signed, lines } = parsed(note)
    expect(signed).toBe(text)
    expect(lines.map(({ name, keyId }) => [name, keyId])).toEqual([['example.com/foo', 0x530d903a]])
    expect(lines[0]?.signature.length).toBe(64)
    expect(formatNote(signed, lines)).toBe(note)
  })

  it('verifies, and with one other character does not', () => {
    const signature = parsed(note).lines[0]?.signature ?? new Uint8Array(0)
    const checkpoint = { origin: 'x', size: 0, root: new Uint8Array(32) }
    expect(ed25519Note.verify(vkey, { checkpoint, text }, signature)).toEqual({ ok: true })
    const other = text.replace('T', 't')
    expect(ed25519Note.verify(vkey, { checkpoint, text: other }, signature)).toEqual({ ok: false })
    const cut = signature.subarray(1)
    expect(ed25519Note.verify(vkey, { checkpoint, text }, cut)).toEqual({ ok: false })
  })
})

describe('a signed note', () => {
  it('is split at its last blank line', () => {
    const poem = 'Ognuno sta solo\n\ned è subito sera.\n\n'
    const { text: signed, lines } = parsed(`${poem}\n${line('a')}${line('b')}`)
    expect(signed).toBe(poem)
    expect(lines.map(({ name }) => name)).toEqual(['a', 'b'])
  })

  it('may have a text of one empty line', () => {
    expect(parsed(`\n\n${line('a')}`).text).toBe('\n')
  })

  it.each([
    ['nothing', ''],
    ['no blank line', `text\n${line('a')}`],
    ['no text', `\n${line('a')}`],
    ['no signature', 'text\n\n'],
    ['no final newline', `text\n\n${line('a')}`.slice(0, -1)],
    ['something behind the signatures', `text\n\n${line('a')}text\n`],
    ['an empty line behind the signatures', `text\n\n${line('a')}\n`],
    ['a carriage return', `text\r\n\n${line('a')}`],
    ['a NUL', `te\0xt\n\n${line('a')}`],
    ['a tab', `te\txt\n\n${line('a')}`],
    ['U+001F', `te\u001fxt\n\n${line('a')}`],
    ['a lone surrogate', `te\ud800xt\n\n${line('a')}`],
    ['a hyphen for the dash', `text\n\n- a ${blob}\n`],
    ['an en dash', `text\n\n– a ${blob}\n`],
    ['no dash', `text\n\na ${blob}\n`],
    ['no space behind the dash', `text\n\n—a ${blob}\n`],
    ['two spaces', `text\n\n—  a ${blob}\n`],
    ['a space at the end', `text\n\n— a ${blob} \n`],
    ['no name', `text\n\n— ${blob}\n`],
    ['an empty name', `text\n\n—  ${blob}\n`],
    ['a plus in the name', `text\n\n${line('a+b')}`],
    ['a no-break space in the name', `text\n\n${line('a\u00a0b')}`],
    ['an ideographic space in the name', `text\n\n${line('a\u3000b')}`],
    ['a next-line character in the name', `text\n\n${line('a\u0085b')}`],
    ['no base64', 'text\n\n— a \n'],
    ['base64url', `text\n\n— a ${blob.replaceAll('+', '-')}A_==\n`],
    ['base64 without padding', `text\n\n— a ${blob.replace('=', '')}\n`],
    ['base64 with stray bits', `text\n\n— a ${blob.replace('M=', 'N=')}\n`],
    ['an id without signature', `text\n\n— a ${encodeBase64(new Uint8Array(4))}\n`],
    ['a second line that is broken', `text\n\n${line('a')}— b\n`],
  ])('is refused with %s', (_what, input) => {
    expect(parseNote(input)).toBeTypeOf('string')
  })

  it('says which line is malformed', () => {
    expect(parseNote(`text\n\n${line('a')}— b\n`)).toBe('Signature line 2 is malformed')
  })

  it('may carry a signature of one byte, DEL and any letters', () => {
    const short = encodeBase64(Uint8Array.of(0, 0, 0, 1, 9))
    expect(parsed(`te\u007fxt\n\n— bücher.example/π ${short}\n`).lines[0]).toEqual({
      name: 'bücher.example/π',
      keyId: 1,
      signature: Uint8Array.of(9),
    })
  })

  it('may have 64 lines and not 65', () => {
    expect(limits.noteLines).toBe(64)
    expect(parsed(`text\n\n${line('a').repeat(64)}`).lines.length).toBe(64)
    expect(parseNote(`text\n\n${line('a').repeat(65)}`)).toBe(
      'There are more than 64 signature lines',
    )
  })

  it('may have as many bytes as the limit, counted in UTF-8, and not one more', () => {
    const room = limits.noteBytes - new TextEncoder().encode(`\n\n${line('a')}`).length
    const odd = room % 2 === 0 ? '' : 'x'
    const longest = `${odd}${'ü'.repeat(Math.floor(room / 2))}\n\n${line('a')}`
    expect(parsed(longest).lines.length).toBe(1)
    expect(parseNote(`x${longest}`)).toBe(`Note is longer than ${limits.noteBytes} bytes`)
    expect(parseNote('x'.repeat(limits.noteBytes + 1))).toContain('longer')
  })

  it('keeps ids above 2^31 positive', () => {
    const high = formatNoteLine({ name: 'a', keyId: 0xffeeddcc, signature: Uint8Array.of(1) })
    expect(encodeHex(decodeBase64(high.split(' ')[2]?.trim() ?? '') ?? new Uint8Array(0))).toBe(
      'ffeeddcc01',
    )
    expect(parsed(`t\n\n${high}`).lines[0]?.keyId).toBe(0xffeeddcc)
  })
})

describe('a verifier key', () => {
  const [name, id, key] = ['example.com/foo', '530d903a', vkeyText.slice(25)]

  it.each([
    ['nothing', ''],
    ['a name only', name],
    ['no key', `${name}+${id}`],
    ['an empty key', `${name}+${id}+`],
    ['a type without key', `${name}+${id}+AQ==`],
    ['no name', `+${id}+${key}`],
    ['a name with a space', `example.com foo+${id}+${key}`],
    ['another name', `example.com/bar+${id}+${key}`],
    ['another id', `${name}+530d903b+${key}`],
    ['an upper-case id', `${name}+530D903A+${key}`],
    ['a short id', `${name}+530d90+${key}`],
    ['a long id', `${name}+530d903a00+${key}`],
    ['another type', `${name}+${id}+${key.replace('Aek', 'BOk')}`],
    ['another key', `${name}+${id}+${key.replace('U2k', 'U2l')}`],
    ['base64 without padding', `${name}+${id}+${key.slice(0, -1)}`],
    ['a newline behind it', `${vkeyText}\n`],
    ['a control character in the name', `a\u0001+${id}+${key}`],
  ])('is refused with %s', (_what, input) => {
    expect(parseVkey(input)).toBeTypeOf('string')
  })

  it('is read when its base64 has plus signs', () => {
    const publicKey = new Uint8Array(32).fill(0xfb)
    const made = createVkey('a', 4, publicKey)
    expect(formatVkey(made).split('+').length).toBeGreaterThan(3)
    expect(vkeyOf(formatVkey(made))).toEqual(made)
  })

  it('cannot be made for what is no key name', () => {
    for (const wrong of ['', 'a b', 'a+b', 'a\nb', 'a\u2028b', '\udc00'])
      expect(() => createVkey(wrong, 1, new Uint8Array(32))).toThrow(
        expect.objectContaining({ code: 'INPUT_INVALID' }),
      )
  })
})

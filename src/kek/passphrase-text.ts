// The text of a break-glass passphrase: 29 random characters of Crockford's base32 (145 bits) and his check character, in groups of five. It is made
// here and never chosen by people, so that whoever has a slot can only guess 2^145 times. A typo is told before any work is spent on it.
import { Failure, invariant } from '../base/failure.ts'
import { utf8 } from '../base/bytes.ts'
import { randomBytes } from '../crypto/hash.ts'
import { privateBytes, privateCopy } from '../crypto/private-bytes.ts'
import { Secret } from '../crypto/secret.ts'

const alphabet = utf8('0123456789ABCDEFGHJKMNPQRSTVWXYZ')
const dataChars = 29
const chars = dataChars + 1
const groupChars = 5
/** Longest text that is looked at, separators included. */
const maxBytes = 256
const hyphen = 0x2d
const separators = new Set(utf8('- \t\r\n'))
/** What people read or type for another character. */
const mistaken: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' }

const digitOf = new Map<number, number>()
for (const [digit, char] of alphabet.entries()) digitOf.set(char, digit)
for (const [typed, meant] of Object.entries(mistaken))
  digitOf.set(typed.charCodeAt(0), alphabet.indexOf(meant.charCodeAt(0)))
for (const [char, digit] of [...digitOf])
  digitOf.set(String.fromCharCode(char).toLowerCase().charCodeAt(0), digit)

// Modulo 37 finds every single wrong character and every two that changed places.
function checkDigit(digits: Uint8Array): number {
  let rest = 0
  for (const digit of digits.subarray(0, dataChars)) rest = (rest * 32 + digit) % 37
  return rest
}

/** 30 digits, the check digit among them. Five check values of 37 have odd characters (`*~$=U`): those are drawn again. */
function drawDigits(): Uint8Array {
  for (;;) {
    const digits = randomBytes(chars)
    for (const [at, byte] of digits.entries()) digits[at] = byte & 31
    const check = checkDigit(digits)
    digits[dataChars] = check
    if (check < alphabet.length) return digits
    digits.fill(0)
  }
}

const charOf = (digit: number): number => {
  const char = alphabet[digit]
  invariant(char !== undefined, 'Digit is outside the alphabet')
  return char
}

/** A new passphrase as people write it down, 35 bytes of ASCII: six groups of five characters with hyphens between. */
export function makePassphrase(): Secret {
  const digits = drawDigits()
  const text = privateBytes(chars + chars / groupChars - 1)
  let at = 0
  for (const [index, digit] of digits.entries()) {
    if (index > 0 && index % groupChars === 0) text[at++] = hyphen
    text[at++] = charOf(digit)
  }
  digits.fill(0)
  return new Secret(text)
}

const invalid = (message: string): Failure => new Failure('INPUT_INVALID', message)

/** The digits of typed text; hyphens, white space, case and what is mistaken for another character do not matter. */
function readDigits(text: Uint8Array): Uint8Array {
  const digits = privateBytes(maxBytes)
  try {
    let length = 0
    for (const char of text.subarray(0, maxBytes + 1)) {
      if (separators.has(char)) continue
      const digit = digitOf.get(char)
      if (digit === undefined)
        throw invalid(`Passphrase has a character that none has, after so many: ${length}`)
      digits[length++] = digit
    }
    if (length !== chars || text.length > maxBytes)
      throw invalid(`Passphrase must have ${chars} characters besides hyphens: ${length}`)
    return privateCopy(digits.subarray(0, chars))
  } finally {
    digits.fill(0)
  }
}

/**
 * The one spelling of a passphrase, 30 bytes of ASCII.
 * @throws {@link Failure} INPUT_INVALID when it was not made by {@link makePassphrase} or has a typo, saying nothing of what it is
 */
export function parsePassphrase(text: Uint8Array): Secret {
  const digits = readDigits(text)
  try {
    if (checkDigit(digits) !== digits[dataChars])
      throw invalid('Passphrase has a typo: its last character does not fit the others')
    const text = privateCopy(digits)
    for (const [at, digit] of digits.entries()) text[at] = charOf(digit)
    return new Secret(text)
  } finally {
    digits.fill(0)
  }
}

// A Decision Card as the bundle that it means, ready to be pushed.
import { decodeBase64 } from '../base/base64.ts'
import { bundleOfCard } from '../policy/card.ts'
import { bundleOfAttestedCard, type CardConversion } from '../policy/card-attested.ts'
import { compileBundle } from '../policy/compile.ts'
import { dialects } from '../policy/dialect.ts'
import { parsePolicyJson } from '../policy/policy-text.ts'
import type { Context } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { readText } from './policy-offline.ts'

/** Flags of `policy card`. */
export interface CardFlags {
  readonly dialect: '0.1' | '0.2' | 'native'
  readonly use: readonly string[]
  readonly at?: number
  readonly attestation?: string
  readonly buyer?: string
  readonly key?: string
  readonly keyUrl?: string
}

function keyOf({ buyer, key, keyUrl }: CardFlags): CardConversion['key'] {
  if (key === undefined && buyer === undefined && keyUrl === undefined) return undefined
  if (key === undefined || buyer === undefined || keyUrl === undefined)
    throw new Usage('A buyer’s key is named by all of --buyer, --key and --key-url')
  const publicKey = decodeBase64(key)
  if (publicKey?.length !== 32) throw new Usage('A key is base64 of 32 bytes: --key')
  return { buyer, keyUrl, publicKey }
}

async function convert(context: Context, file: string, flags: CardFlags): Promise<object> {
  const { at: now = Date.now(), attestation, dialect, use } = flags
  const text = await readText(context, file)
  if (dialect === '0.1') {
    if (attestation !== undefined) throw new Usage('Dialect 0.1 knows no attestation')
    return bundleOfCard(parsePolicyJson(text, dialects['0.1']))
  }
  const strict = dialects[dialect]
  const key = keyOf(flags)
  const attested =
    attestation === undefined
      ? {}
      : { attestation: parsePolicyJson(await readText(context, attestation), strict) }
  return bundleOfAttestedCard(parsePolicyJson(text, strict), {
    allowedActions: use,
    dialect,
    now,
    ...attested,
    ...(key === undefined ? {} : { key }),
  })
}

/** `policy card CARD` */
export async function convertCard(
  context: Context,
  file: string,
  flags: CardFlags,
): Promise<number> {
  const { dialect } = flags
  const bundle = await convert(context, file, flags)
  compileBundle(bundle, dialect)
  if (dialect === '0.1')
    context.err.note('Dialect 0.1 knows neither the window of a card nor its attestation\n')
  await context.out.write(`${JSON.stringify({ dialect, ...bundle }, null, 2)}\n`)
  return exitCodes.done
}

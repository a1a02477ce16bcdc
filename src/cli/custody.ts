// The keys without the service: a passphrase that opens them when nothing else does, and keys that are made while nothing opens.
import { Failure, failureCodes } from '../base/failure.ts'
import { concat, fromUtf8, utf8 } from '../base/bytes.ts'
import type { Context, TenantFlags } from './command.ts'
import type { GlobalFlags, KeyOffer, Recovered, RecoveredTenant } from './composition.ts'
import { exitCodes } from './complain.ts'
import { jsonLine, OutputClosed, printable } from './terminal.ts'
import { readTypedSecret } from './typed-secret.ts'

const whatToDo = (tenants: number): string =>
  `This passphrase opens ${tenants === 1 ? 'the master key' : `all ${tenants} master keys`} when no key provider does. It is shown this once.
Write it on paper, twice, and lock the two away in two places, none of them with the data. To use it:
countersign keys recover
It opens nothing after keys rotate-master, and no tenant that is made later: then make another.
`

/** `keys break-glass` */
export async function breakGlass(
  { compose, err, out }: Context,
  flags: GlobalFlags & { readonly json?: boolean },
): Promise<number> {
  const { passphrase: made, tenants } = await (await compose()).makeBreakGlass(flags)
  using passphrase = made
  try {
    await passphrase.useAsync(async (text) => {
      if (flags.json === true) await out.write(jsonLine({ passphrase: fromUtf8(text), tenants }))
      else {
        const line = concat(text, utf8('\n'))
        await out.write(line)
        line.fill(0)
      }
    })
  } catch (error) {
    if (error instanceof Failure || error instanceof OutputClosed)
      err.note(
        'The passphrase could not be written, and nobody knows it now: run countersign keys break-glass again\n',
      )
    throw error
  }
  err.note(whatToDo(tenants.length))
  return exitCodes.done
}

/** Flags of `keys recover`. */
export interface RecoverFlags extends GlobalFlags {
  readonly passphraseFile?: string
  readonly dropOthers?: boolean
}

const recoveredLine = ({ index, providers, tenant }: RecoveredTenant): string =>
  `recovered  ${printable(tenant)}  opened by ${providers.join(', ')}  index ${index}\n`

const hint = 'Those before it are done; run the same command again for the others\n'

/** Names the tenants that are as they were: only the provider that they had opens them. */
function tellLeft({ err }: Context, left: Recovered['left']): number {
  const [first] = left
  if (first === undefined) return exitCodes.done
  for (const { code, tenant, why } of left)
    err.note(`not recovered  ${printable(tenant)}  ${printable(why)} (${code})\n`)
  err.note(
    'These open only by the key providers they had; the others are recovered and can be served\n',
  )
  return failureCodes[first.code].exit
}

/** `keys recover` */
export async function recover(context: Context, flags: RecoverFlags): Promise<number> {
  const { dropOthers = false, passphraseFile, ...globals } = flags
  const { compose, err, out } = context
  const composition = await compose()
  const passphrase = await readTypedSecret(context, passphraseFile, {
    option: '--passphrase-file',
    prompt: 'Break-glass passphrase (not shown): ',
  })
  let done = 0
  try {
    const { kekFile, left, providers } = await composition.recover(
      globals,
      passphrase,
      dropOthers,
      async (tenant) => {
        done++
        await out.write(recoveredLine(tenant))
      },
    )
    if (kekFile !== null)
      err.note(
        `No key provider was configured: a new KEK file was made. Keep a copy where the data is not: ${printable(kekFile)}\n`,
      )
    err.note(
      `Start this installation from now on with --kek ${providers.join(',')}. If others saw the passphrase: countersign keys break-glass\n`,
    )
    return tellLeft(context, left)
  } catch (error) {
    if (done > 0) err.note(hint)
    throw error
  }
}

/** `keys offer PURPOSE` */
export async function offerKey(
  { compose, err, out }: Context,
  purpose: KeyOffer['purpose'],
  flags: TenantFlags,
): Promise<number> {
  const offer = await (await compose()).offerKey(flags, flags.tenant, purpose)
  await out.write(flags.json === true ? jsonLine(offer) : `${offer.sha256}\n`)
  err.note(
    `${offer.purpose} v${offer.version} (${offer.keyId}) was made and sealed; it counts nowhere yet: ${printable(offer.file)}\nWhere the master key opens: countersign keys admit ${offer.sha256}\n`,
  )
  return exitCodes.done
}

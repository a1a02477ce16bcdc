import {
  act,
  asJson,
  define,
  ofTenant,
  writing,
  type Defining,
  type TenantFlags,
} from './command.ts'
import { Usage } from './complain.ts'
import type { GlobalFlags } from './composition.ts'
import type { RecoverFlags } from './custody.ts'

/** A purpose that keys are made for; `all` are those that the command takes. */
export function purposeOf(text: string, all = 'evidence, fast, log'): 'evidence' | 'fast' | 'log' {
  if (text === 'evidence' || text === 'fast' || text === 'log') return text
  throw new Usage(`Purpose is not one of ${all}: ${text}`)
}

/** `keys break-glass`, `keys recover` and `keys offer`. */
export function defineCustody(defining: Defining<'keys'>): void {
  defineBreakGlass(defining)
  defineRecover(defining)
  defineOffer(defining)
}

function defineBreakGlass({ context, keys, outcome, program }: Defining<'keys'>): void {
  const command = define(
    keys,
    'break-glass',
    'Makes a passphrase that opens every master key when no key provider does, and prints it, alone and this once. It is for paper in a safe. An older one opens nothing any more. No server may run meanwhile.',
    ['keys break-glass'],
  )
  asJson(writing(command))
  act(program, command, outcome, async (flags: GlobalFlags & { json?: boolean }) =>
    (await import('./custody.ts')).breakGlass(context, flags),
  )
}

function defineRecover({ context, keys, outcome, program }: Defining<'keys'>): void {
  const command = define(
    keys,
    'recover',
    'Opens the installation by the passphrase of keys break-glass alone, and lets the key providers that are configured now open every master key. Where none is configured it makes a KEK file, as init does. A terminal is asked for the passphrase. No server may run meanwhile. When interrupted, run it again.',
    [
      'keys recover',
      'keys recover --kek hsm --drop-others',
      'keys recover --passphrase-file /run/secrets/passphrase',
    ],
  )
  writing(command)
    .option('--passphrase-file <file>', 'file of the passphrase (0600), - for standard input')
    .option('--drop-others', 'let providers that are not configured open nothing any more')
  act(program, command, outcome, async (flags: RecoverFlags) =>
    (await import('./custody.ts')).recover(context, flags),
  )
}

function defineOffer({ context, keys, outcome, program }: Defining<'keys'>): void {
  const command = define(
    keys,
    'offer',
    'Makes the next key of a purpose without opening anything, and prints the SHA-256 of its sealed record. That lies in the keys directory; it counts once keys admit has taken it in where the master key opens.',
    ['keys offer evidence', 'keys offer log --tenant payments --json'],
  ).argument('<purpose>', 'evidence, fast or log')
  asJson(ofTenant(writing(command)))
  act(program, command, outcome, async (flags: TenantFlags, [purpose]) => {
    const parsed = purposeOf(String(purpose))
    return (await import('./custody.ts')).offerKey(context, parsed, flags)
  })
}

// The roster at the command line. A proposal is a file that goes round: whoever is in it adds a key, then all sign one text, and only then does it go to
// the log, which judges it. Until then it binds nobody.
import { resolve } from 'node:path'
import { z } from 'zod'
import { fromUtf8, utf8 } from '../base/bytes.ts'
import { parseStrictJson } from '../base/strict-json.ts'
import { approverKeyKinds } from '../crypto/approver-keys.ts'
import {
  endorsementSchema,
  formatRosterText,
  readRoster,
  rosterSchema,
  type Person,
  type Role,
} from '../dossier/roster.ts'
import { createPrivateFile } from '../kek/private-file.ts'
import { rosterViewSchema, type RosterView } from '../wire/roster.ts'
import { whileWriting } from './administer.ts'
import { boundsOf, briefOnRoster } from './briefing.ts'
import { leastPassphrase, makeApproverKey, type MadeKind } from './approver-key.ts'
import { publicKeyOf, signAs, type ApproverFlags, type PublicKey } from './approver.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { readBounded, refuseExisting, writeWhole } from './files.ts'
import { localCaller } from './principal.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'
import { readTypedSecret } from './typed-secret.ts'

const maxFileBytes = 1 << 20

// It is shown to whoever signs, on lines of its own.
const place = z.string().regex(/^[\x21-\x7e]{1,256}$/, 'printable ASCII expected')

// While it goes round, a proposal need not be a roster yet.
const proposalSchema = z.strictObject({
  instance: place,
  tenant: place,
  origin: place,
  roster: rosterSchema.extend({ people: rosterSchema.shape.people.unwrap().array() }),
  endorsements: z.array(endorsementSchema),
})

type Proposal = z.infer<typeof proposalSchema>

async function readProposal({ io }: Context, name: string): Promise<Proposal> {
  const bytes = await readBounded(io.cwd, name, maxFileBytes)
  let value: unknown
  try {
    value = parseStrictJson(fromUtf8(bytes))
  } catch {
    throw new Usage(`File is not JSON: ${name}`)
  }
  const parsed = proposalSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Usage(
    `Not a proposal of a roster: /${issue?.path.join('/') ?? ''} ${issue?.message ?? ''}: ${name}`,
  )
}

const writeProposal = ({ io }: Context, name: string, proposal: Proposal): Promise<void> =>
  writeWhole(io.cwd, name, utf8(`${JSON.stringify(proposal, null, 2)}\n`))

/** The text that everybody signs. @throws {@link Usage} when the proposal is no roster yet */
function textOf(proposal: Proposal, name: string): string {
  const roster = readRoster(proposal.roster)
  if (typeof roster === 'string') throw new Usage(`Proposal is no roster yet: ${roster}: ${name}`)
  return formatRosterText(proposal, roster)
}

const peopleRows = (people: readonly Person[]): string[][] => [
  ['person', 'roles', 'kind', 'key'],
  ...people.flatMap(({ id, keys, roles }) =>
    keys.map((one) => [
      printable(id),
      roles.join(', ') || 'none',
      [one.kind, one.revoked ? '(revoked)' : '', boundsOf(one)]
        .filter((text) => text !== '')
        .join(' '),
      one.key.length > 72 ? `${one.key.slice(0, 72)}…` : one.key,
    ]),
  ),
]

function formatView({ asked, current }: RosterView): string {
  const waiting = asked.map(
    ({ countsFrom, sha256 }) =>
      `Recovery keys ask for ${sha256}, which may come from ${date(countsFrom)} on\n`,
  )
  if (current === null) return `There is no roster\n${waiting.join('')}`
  const { from, roster, sha256 } = current
  return `version ${roster.version}  ${sha256}  from index ${from}\n${formatTable(peopleRows(roster.people))}${waiting.join('')}`
}

const readView = (context: Context, flags: TenantFlags): Promise<RosterView> =>
  whileWriting(context, flags, async (service) =>
    rosterViewSchema.parse(await service.readRoster(flags.tenant)),
  )

/** `roster show [FILE]` */
export async function showRoster(
  context: Context,
  file: string | undefined,
  flags: TenantFlags,
): Promise<number> {
  if (file !== undefined) {
    await context.out.write(textOf(await readProposal(context, file), file))
    return exitCodes.done
  }
  const view = await readView(context, flags)
  await context.out.write(flags.json === true ? jsonLine(view) : formatView(view))
  return exitCodes.done
}

/** `roster keygen` */
export async function generateKey(
  context: Context,
  flags: { readonly out: string; readonly kind: MadeKind; readonly passphraseFile?: string },
): Promise<number> {
  const { err, io, out } = context
  await refuseExisting(io.cwd, flags.out)
  using passphrase = await readTypedSecret(context, flags.passphraseFile, {
    option: '--passphrase-file',
    prompt: `Passphrase for the new key, at least ${leastPassphrase} characters: `,
  })
  if (passphrase.length < leastPassphrase)
    throw new Usage(`A passphrase has at least ${leastPassphrase} characters: --passphrase-file`)
  const { file, publicKey } = await makeApproverKey(flags.kind, passphrase)
  createPrivateFile(resolve(io.cwd, flags.out), file, 'File')
  await out.write(`${publicKey}\n`)
  err.note(`Key written to ${printable(flags.out)}; without its passphrase it signs nothing\n`)
  return exitCodes.done
}

/** `roster propose` */
export async function proposeRoster(
  context: Context,
  flags: TenantFlags & { readonly out: string },
): Promise<number> {
  await refuseExisting(context.io.cwd, flags.out)
  const { current, instance, origin, tenant } = await readView(context, flags)
  const before = current?.roster
  await writeProposal(context, flags.out, {
    endorsements: [],
    instance,
    origin,
    roster: {
      people: before?.people ?? [],
      previous: current?.sha256 ?? null,
      recovery: before?.recovery ?? null,
      v: 1,
      version: (before?.version ?? 0) + 1,
    },
    tenant,
  })
  context.err.note(
    `Proposal for version ${(before?.version ?? 0) + 1} written to ${printable(flags.out)}: let people enrol, then sign, then apply it\n`,
  )
  if (before === undefined)
    context.err.note(
      'Recovery keys, for when the leads’ own are lost, are named in version 1 or never: countersign roster enrol --recovery\n',
    )
  return exitCodes.done
}

/** Flags of `roster enrol`. */
export interface EnrolFlags extends ApproverFlags {
  readonly role?: readonly Role[]
  readonly recovery?: boolean
  readonly threshold?: number
}

/** `roster enrol FILE` */
export async function enrol(context: Context, file: string, flags: EnrolFlags): Promise<number> {
  const proposal = await readProposal(context, file)
  const { person, recovery = false, role = [], threshold } = flags
  if (recovery === (person !== undefined))
    throw new Usage('Either a person or a recovery key is enrolled: --person or --recovery')
  const named = await publicKeyOf(context, flags)
  const { roster } = proposal
  const next =
    person === undefined
      ? { ...roster, recovery: withRecoveryKey(roster.recovery, named, threshold) }
      : { ...roster, people: withKey(roster.people, person, role, named) }
  // Whoever signed before signed another text.
  await writeProposal(context, file, { ...proposal, endorsements: [], roster: next })
  context.err.note(
    person === undefined
      ? 'A recovery key is enrolled\n'
      : `${printable(person)} is enrolled: ${rolesIn(next.people, person)}\n`,
  )
  const dropped = proposal.endorsements.length
  if (dropped > 0)
    context.err.note(`Signatures of the proposal as it was are dropped: ${dropped}\n`)
  return exitCodes.done
}

const rolesIn = (people: readonly Person[], person: string): string =>
  people.find(({ id }) => id === person)?.roles.join(', ') || 'no role'

function withRecoveryKey(
  recovery: Proposal['roster']['recovery'],
  named: PublicKey,
  threshold: number | undefined,
): Proposal['roster']['recovery'] {
  const keys = [...(recovery?.keys ?? []), named]
  return { keys, threshold: threshold ?? recovery?.threshold ?? 1 }
}

function withKey(
  people: readonly Person[],
  id: string,
  added: readonly Role[],
  { key, kind }: PublicKey,
): Person[] {
  const owner = people.find((one) => one.keys.some((held) => held.key === key))
  if (owner !== undefined && owner.id !== id)
    throw new Usage(`Key is in the proposal already, of another person: ${owner.id}`)
  const known = people.find((one) => one.id === id)
  const held = known?.keys ?? []
  const keys =
    owner === undefined
      ? [...held, { key, kind, notAfter: null, notBefore: 0, revoked: false }]
      : held
  const person = { id, keys, roles: [...new Set([...(known?.roles ?? []), ...added])] }
  return known === undefined
    ? [...people, person]
    : people.map((one) => (one.id === id ? person : one))
}

/** `roster sign FILE` */
export async function signRoster(
  context: Context,
  file: string,
  flags: ApproverFlags,
): Promise<number> {
  const proposal = await readProposal(context, file)
  const text = textOf(proposal, file)
  const by = await publicKeyOf(context, flags)
  const isBy = ({ key, kind }: PublicKey): boolean => kind === by.kind && key === by.key
  const judge = (signature: string) =>
    approverKeyKinds[by.kind].verify(by.key, utf8(text), signature)
  const { people, recovery } = proposal.roster
  if (![...people.flatMap(({ keys }) => keys), ...(recovery?.keys ?? [])].some(isBy))
    throw new Usage(`Key is not in the proposal, enrol it first: ${by.kind} ${by.key.slice(0, 80)}`)
  if (proposal.endorsements.some((one) => isBy(one) && judge(one.signature).verdict === 'valid')) {
    context.err.note('This key has signed already\n')
    return exitCodes.done
  }
  briefOnRoster(context, proposal.roster)
  context.err.note(text)
  const { signature } = await signAs(context, flags, text)
  const { reason, verdict } = judge(signature)
  if (verdict !== 'valid') throw new Usage(`Signature is not good: ${reason}`)
  const others = proposal.endorsements.filter((one) => !isBy(one))
  await writeProposal(context, file, {
    ...proposal,
    endorsements: [...others, { ...by, signature }],
  })
  return exitCodes.done
}

/** `roster apply FILE` */
export async function applyRoster(
  context: Context,
  file: string,
  flags: TenantFlags,
): Promise<number> {
  const proposal = await readProposal(context, file)
  textOf(proposal, file)
  const { endorsements, roster, tenant } = proposal
  if (endorsements.length === 0)
    throw new Usage(`Nobody has signed the proposal: countersign roster sign ${file}`)
  const applied = await whileWriting(context, flags, (service) =>
    service.applyRoster(tenant, { endorsements, roster }, localCaller()),
  )
  const { countsFrom, event, index, sha256, version } = applied
  await context.out.write(
    flags.json === true ? jsonLine(applied) : `${event}  ${version}  ${sha256}  index ${index}\n`,
  )
  context.err.note(
    event === 'version'
      ? 'It counts, and the trust root that names it is published: hand it to whoever verifies: countersign trust-root -o FILE\n'
      : `Recovery keys have asked for it: apply it again from ${date(countsFrom)} on\n`,
  )
  return exitCodes.done
}

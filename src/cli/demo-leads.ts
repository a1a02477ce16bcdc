// The two leads of the demonstration, whose keys live as long as it runs: they are named in the roster, and overrule what policy has blocked.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeBase64 } from '../base/base64.ts'
import { utf8 } from '../base/bytes.ts'
import { ed25519 } from '../crypto/ed25519.ts'
import { Secret } from '../crypto/secret.ts'
import type { Signer } from '../crypto/signatures.ts'
import { leadRoles } from '../dossier/challenge.ts'
import { formatRosterText, type Roster } from '../dossier/roster.ts'
import { fingerprint } from '../dossier/trust-root.ts'
import { overrideViewSchema, type OverrideView } from '../wire/overrides.ts'
import { rosterViewSchema } from '../wire/roster.ts'
import type { Narrator } from './demo-narrator.ts'
import { expectThat, type Stage } from './demo-stage.ts'

interface Lead {
  readonly id: string
  readonly role: (typeof leadRoles)[number]
  readonly signer: Signer
}

/** The leads, who sign with keys that nobody else has. */
export type Leads = readonly Lead[]

interface Play {
  readonly stage: Stage
  readonly tell: Narrator
}

const keyOf = ({ signer }: Lead): string => encodeBase64(signer.publicKey)
const signAs = ({ signer }: Lead, text: string): string => encodeBase64(signer.sign(utf8(text)))

const rosterOf = (leads: Leads): Roster => ({
  people: leads.map((lead) => ({
    id: lead.id,
    keys: [{ key: keyOf(lead), kind: 'Ed25519', notAfter: null, notBefore: 0, revoked: false }],
    roles: [lead.role],
  })),
  previous: null,
  recovery: null,
  v: 1,
  version: 1,
})

/** Lets two leads be named, and gives the trust root that names them: its file, and its fingerprint. */
export async function nameLeads({ stage }: Play): Promise<{
  readonly leads: Leads
  readonly trustRootFile: string
  readonly trustRootSha256: string
}> {
  const leads = leadRoles.map((role, n) => ({
    id: ['ann', 'bob'][n] ?? role,
    role,
    signer: ed25519.signer(Secret.random(ed25519.seedBytes)),
  }))
  const view = rosterViewSchema.parse((await stage.ask('GET', '/v1/roster')).json())
  const roster = rosterOf(leads)
  const text = formatRosterText(view, roster)
  const endorsements = leads.map((lead) => ({
    key: keyOf(lead),
    kind: 'Ed25519',
    signature: signAs(lead, text),
  }))
  const body = JSON.stringify({ endorsements, roster })
  const applied = await stage.ask('POST', '/v1/roster', body)
  expectThat(applied.status === 201, `the roster counts (${applied.status})`)
  const { bytes } = await stage.ask('GET', '/v1/trust-root')
  const trustRootFile = join(stage.directory, 'trust-root.json')
  await writeFile(trustRootFile, bytes)
  return { leads, trustRootFile, trustRootSha256: fingerprint(bytes) }
}

/** Lets the leads overrule a blocked decision, which is then used once. */
export async function overrule(
  { stage, tell }: Play,
  leads: Leads,
  decision: string,
): Promise<void> {
  const path = `/v1/overrides/${decision}`
  tell.chapter('Two people overrule')
  tell.say(
    'The treasurer has called the beneficiary: the blocked transfer is right. Who asks may not sign. A risk lead and a security lead sign one text, each with a key of their own, be it ssh-keygen, a wallet or a key file.',
  )
  const justification = 'Beneficiary confirmed by telephone, contract 4417 seen'
  const opened = await stage.ask(
    'POST',
    '/v1/overrides',
    JSON.stringify({ decision, justification }),
  )
  expectThat(opened.status === 201, `an override is asked for (${opened.status})`)
  const { challenge } = overrideViewSchema.parse(opened.json())
  tell.gap()
  for (const line of challenge.trimEnd().split('\n'))
    tell.show(line.length > 96 ? `${line.slice(0, 95)}…` : line)
  tell.gap()
  const early = (await stage.ask('POST', `${path}/execute`)).json()
  expectThat(early['code'] === 'OVERRIDE_REFUSED', 'nothing comes to pass unsigned')
  let view: OverrideView | undefined
  for (const lead of leads) {
    const { role } = lead
    const signing = { challenge, key: keyOf(lead), role, signature: signAs(lead, challenge) }
    const signed = await stage.ask('POST', `${path}/sign`, JSON.stringify(signing))
    expectThat(signed.status === 200, `${lead.id} signs (${signed.status})`)
    view = overrideViewSchema.parse(signed.json())
    tell.good(`${lead.id} signs as ${role}: ${view.status}, entry ${view.index}`)
  }
  expectThat(view?.status === 'approved', 'both have signed')
  const executed = await stage.ask('POST', `${path}/execute`)
  expectThat(executed.status === 200, `the override comes to pass (${executed.status})`)
  const index = String(executed.json()['index'])
  tell.good(`The transfer is an ALLOW for one use, entry ${index}`)
  const again = (await stage.ask('POST', `${path}/execute`)).json()
  expectThat(again['code'] === 'OVERRIDE_REFUSED', 'it comes to pass once')
  tell.good('A second time it is refused: OVERRIDE_REFUSED')
  const claimed = await stage.ask('POST', `/v1/decisions/${decision}/claim`, '{}')
  expectThat(claimed.status === 201, 'an overruled decision can be claimed')
  tell.good(`The transfer claims it before it pays, entry ${String(claimed.json()['index'])}`)
}

// The demonstration: what Countersign promises, shown on the real thing in a few seconds. It exits 0 only if everything it claims was seen.
// One file, for it is one story that is read from its beginning to its end; what it shows it with stands in demo-stage.ts and demo-narrator.ts.
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatDossier, parseDossier } from '../dossier/v1.ts'
import { fromUtf8, utf8 } from '../base/bytes.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { Notarised } from '../wire/decision.ts'
import { policyViewSchema } from '../wire/policies.ts'
import type { Context } from './command.ts'
import type { Initialised } from './composition.ts'
import { exitCodes, Usage } from './complain.ts'
import { nameLeads, overrule, type Leads } from './demo-leads.ts'
import { Narrator } from './demo-narrator.ts'
import { DemoFailed, expectThat, Stage, type Ran } from './demo-stage.ts'
import { listenForInterrupt, signalExit } from './interrupt.ts'
import { printable } from './terminal.ts'

interface Sample {
  readonly text: string
  readonly idempotencyKey: string
  readonly status: string
  readonly actor: string
  readonly action: string
}

type Notarisation = Sample & { readonly answer: Notarised }

interface Play {
  readonly stage: Stage
  readonly tell: Narrator
  readonly samples: readonly Sample[]
}

// They are kept with the tests and are not published.
const exampleOf = (name: string): string =>
  fileURLToPath(new URL(`../../test/examples/${name}`, import.meta.url))
const policyFile = exampleOf('house-rules.yaml')

async function readSamples(): Promise<readonly Sample[]> {
  let text: string
  try {
    text = await readFile(exampleOf('intents.ndjson'), 'utf8')
  } catch {
    throw new Usage(
      'The demonstration needs test/examples/intents.ndjson, which is in the repository and not in the published package',
    )
  }
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const { expect, request } = JSON.parse(line) as {
        expect: string
        request: {
          idempotencyKey: string
          intent: { actor: { id: string }; action: { type: string } }
        }
      }
      const { idempotencyKey, intent } = request
      return {
        action: intent.action.type,
        actor: intent.actor.id,
        idempotencyKey,
        status: expect,
        text: JSON.stringify(request),
      }
    })
}

/** What was made, with the trust root that names the leads. */
type House = Pick<Initialised, 'data' | 'keys' | 'trustRootFile' | 'trustRootSha256'> & {
  readonly leads: Leads
}

async function openHouse(play: Play): Promise<House> {
  const { stage, tell } = play
  tell.chapter('A notary opens')
  tell.say(
    'An installation is one directory: a database, a log, and signing keys that rest sealed. Here a key file opens them; in production a KMS or an HSM holds that key.',
  )
  tell.command('init')
  const made = JSON.parse(await stage.succeed(['init', '--json'])) as Initialised
  tell.fact('log', made.origin)
  tell.command('policy push house-rules.yaml --activate')
  const pushed = await stage.succeed(['policy', 'push', policyFile, '--activate', '--json'])
  const policy = policyViewSchema.parse(JSON.parse(pushed))
  tell.fact('policy', `${policy.id} ${policy.version}, ${policy.state}, entry ${policy.index}`)
  tell.command('apikey create --owner gatekeeper --scope decisions:evaluate …')
  const scopes = [
    ...['decisions:evaluate', 'decisions:read', 'decisions:claim'],
    ...['overrides:request', 'overrides:sign', 'roster:manage'],
  ]
  const token = await stage.succeed([
    'apikey',
    'create',
    '--owner',
    'gatekeeper',
    '--scope',
    ...scopes,
  ])
  tell.fact('token', 'shown once; what is kept is its hash')
  tell.command('serve')
  tell.fact('listening', await stage.serve(token.trim()))
  const named = await nameLeads(play)
  tell.gap()
  tell.say('Two people who may overrule together enter the roster, each signing with a key.')
  for (const { id, role } of named.leads) tell.fact(id, role)
  tell.fact('trust root', named.trustRootSha256)
  tell.gap()
  tell.say(
    'The trust root is the public file by which anybody can verify; it names the two. The auditor is told its fingerprint, the line above, by telephone or on paper: by another way than the file.',
  )
  return { ...made, ...named }
}

async function notariseAll({ samples, stage, tell }: Play): Promise<readonly Notarisation[]> {
  tell.chapter('Decisions are made and notarised')
  tell.say(
    'Payment systems, pipelines and AI agents ask before they act, and the policy decides. Each answer comes only when the decision is signed, in the log and on disk, and it carries the proof.',
  )
  tell.gap()
  const done: Notarisation[] = []
  for (const sample of samples) {
    const { json, status } = await stage.ask('POST', '/v1/decisions', sample.text)
    expectThat(status === 201, `${sample.idempotencyKey} is notarised (${status})`)
    const answer = json() as unknown as Notarised
    expectThat(
      answer.status === sample.status,
      `${sample.idempotencyKey} is decided as the policy says`,
    )
    done.push({ ...sample, answer })
    tell.decision(sample.status, sample.action, sample.actor, `entry ${answer.index}`)
  }
  const last = done.at(-1)
  expectThat(last !== undefined, 'there are decisions')
  tell.gap()
  tell.say('What the last answer carries:')
  tell.fact('signature', 'ML-DSA-65 and Ed25519 as one: both must hold')
  tell.fact(
    'inclusion',
    `${last.answer.proof.length} hashes lead from this entry to the root of the log`,
  )
  tell.fact(
    'checkpoint',
    `${last.answer.checkpoint.split('\n')[1] ?? '?'} entries, signed by Ed25519 and ML-DSA-44`,
  )
  return done
}

const find = (done: readonly Notarisation[], action: string): Notarisation => {
  const found = done.find((one) => one.action === action)
  expectThat(found !== undefined, `there is a decision about ${action}`)
  return found
}

async function onceIsOnce({ stage, tell }: Play, done: readonly Notarisation[]): Promise<void> {
  tell.chapter('Once is once')
  const transfer = find(done, 'transfer.create')
  const deployment = find(done, 'deployment.promote')
  const again = await stage.ask('POST', '/v1/decisions', transfer.text)
  const replay = again.json()
  expectThat(
    again.status === 200 && replay['replayed'] === true && replay['id'] === transfer.answer.id,
    'a request sent twice is answered by the first decision',
  )
  tell.good(
    `Sent again, the transfer is answered by the same decision, entry ${String(replay['index'])}`,
  )
  const changed = transfer.text.replace('1850000', '185000')
  const conflict = (await stage.ask('POST', '/v1/decisions', changed)).json()
  expectThat(conflict['code'] === 'INPUT_CONFLICT', 'the same key with another content is refused')
  tell.good('Sent again with a smaller amount under the same key, it is refused: INPUT_CONFLICT')
  const claim = (id: string): ReturnType<Stage['ask']> =>
    stage.ask('POST', `/v1/decisions/${id}/claim`, '{"note":"before the effect"}')
  const first = await claim(deployment.answer.id)
  expectThat(first.status === 201, 'an allowed decision can be claimed')
  tell.good(
    `The deployment claims its ALLOW before it acts, entry ${String(first.json()['index'])}`,
  )
  const second = (await claim(deployment.answer.id)).json()
  expectThat(second['code'] === 'INPUT_CLAIMED', 'it can be claimed once')
  tell.good('A second deployment on the same ALLOW is refused: INPUT_CLAIMED')
  const blocked = (await claim(transfer.answer.id)).json()
  expectThat(blocked['code'] === 'INPUT_NOT_CLAIMABLE', 'a BLOCK cannot be claimed')
  tell.good('Claiming the blocked transfer is refused: INPUT_NOT_CLAIMABLE')
  const page = (await stage.ask('GET', '/v1/decisions?status=BLOCK')).json()
  const rows = page['decisions'] as readonly { actor: string; action: string; index: number }[]
  expectThat(
    rows.length === done.filter(({ status }) => status === 'BLOCK').length,
    'the list by status is complete',
  )
  tell.gap()
  tell.say('And the log can be asked. What was blocked, newest first:')
  for (const { action, actor, index } of rows)
    tell.decision('BLOCK', action, actor, `entry ${index}`)
}

/** Takes dossiers and trust root out, then ends the service and deletes all it had. */
async function leaveHouse(
  { stage, tell }: Play,
  made: House,
  done: readonly Notarisation[],
): Promise<string> {
  tell.chapter('The evidence leaves, the service ends')
  const outside = join(stage.directory, 'auditor')
  await mkdir(outside)
  let bytes = 0
  for (const { answer, idempotencyKey } of done) {
    const dossier = await stage.ask('GET', answer.dossierUrl)
    expectThat(dossier.status === 200, `the dossier of ${idempotencyKey} is exported`)
    bytes += dossier.bytes.length
    await writeFile(join(outside, `${idempotencyKey}.dossier.json`), dossier.bytes)
  }
  await copyFile(made.trustRootFile, join(outside, 'trust-root.json'))
  tell.good(
    `${done.length} dossiers, ${Math.round(bytes / done.length / 100) / 10} kB on average, are handed to the auditor`,
  )
  expectThat((await stage.stopServing()) === 0, 'the service ends in good order')
  await rm(made.data, { recursive: true })
  await rm(made.keys, { recursive: true })
  tell.good('The service is stopped, its database and its keys are deleted')
  return outside
}

const names = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory)).filter((name) => name.endsWith('.dossier.json')).sort()

function verifyAs(
  { stage }: Play,
  files: readonly string[],
  sha256: string,
  cwd: string,
): Promise<Ran> {
  const trust = ['--trust', 'trust-root.json', '--trust-sha256', sha256]
  return stage.run(['verify', ...files, ...trust], cwd)
}

async function audit(play: Play, made: House, outside: string): Promise<void> {
  const { tell } = play
  tell.chapter('An auditor verifies, alone')
  tell.say(
    'Another process, in a directory with the dossiers and the trust root and nothing else. It asks nobody and has no key; the fingerprint is the one told at the start.',
  )
  tell.command(
    `verify *.dossier.json --trust trust-root.json --trust-sha256 ${made.trustRootSha256.slice(0, 8)}…`,
  )
  const files = await names(outside)
  const { code, stderr, stdout } = await verifyAs(play, files, made.trustRootSha256, outside)
  const lines = stdout.trimEnd().split('\n')
  expectThat(
    code === 0 && lines.length === files.length && lines.every((line) => line.startsWith('valid')),
    `every dossier is valid\n${stdout}${stderr}`,
  )
  for (const line of lines) tell.show(line.replace(/ {2}complete no$/, ''))
  tell.gap()
  tell.say(
    'The transfer is an ALLOW by override: who signed, and in which roles, is in its dossier and was checked again. Valid means: signed by the keys of the trust root, in the log at that size, no step missing. “Assurance operator” means: no witness has cosigned, so that all see the same log is the operator’s word.',
  )
}

/** Makes every decision again from what is in its dossier. */
async function decideAgain({ stage, tell }: Play, outside: string): Promise<void> {
  const files = await names(outside)
  tell.gap()
  tell.command('reevaluate *.dossier.json --trust trust-root.json')
  const trust = ['--trust', 'trust-root.json', '--json']
  const { code, stderr, stdout } = await stage.run(['reevaluate', ...files, ...trust], outside)
  const outcomes = stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { outcome: string }).outcome)
  expectThat(
    code === 0 && outcomes.length === files.length && outcomes.every((one) => one === 'same'),
    `every decision follows from its policy\n${stdout}${stderr}`,
  )
  tell.good(
    `All ${outcomes.length} decisions are made again from the policy in their dossiers, and come out the same`,
  )
}

/** The same dossier with one byte of what was signed changed, everything else in good form. */
function forge(file: Uint8Array, from: string, to: string): Uint8Array {
  const dossier = parseDossier(file)
  expectThat(typeof dossier !== 'string', 'a dossier can be read')
  const entries = dossier.entries.map((entry) => {
    const text = fromUtf8(entry.payload ?? new Uint8Array())
    return { ...entry, payload: utf8(text.replace(from, to)) }
  })
  return formatDossier({ ...dossier, entries })
}

async function forgery(play: Play, made: House, outside: string): Promise<void> {
  const { samples, stage, tell } = play
  tell.chapter('One byte')
  const [transfer] = samples
  expectThat(transfer?.action === 'transfer.create', 'the first decision is the transfer')
  const name = `${transfer.idempotencyKey}.dossier.json`
  const workshop = join(stage.directory, 'forger')
  await mkdir(workshop)
  await copyFile(join(outside, 'trust-root.json'), join(workshop, 'trust-root.json'))
  const genuine = new Uint8Array(await readFile(join(outside, name)))
  await writeFile(join(workshop, name), forge(genuine, '1850000', '1050000'))
  tell.say(
    'Somebody makes the blocked transfer smaller: 1850000 becomes 1050000, one byte, and the file is put into perfect form again.',
  )
  tell.command(`verify ${name} --trust trust-root.json`)
  const { code, stdout } = await verifyAs(play, [name], made.trustRootSha256, workshop)
  expectThat(
    code === exitCodes.badEvidence && stdout.startsWith('invalid'),
    `the forgery is refused\n${stdout}`,
  )
  tell.show(stdout.trimEnd())
  tell.gap()
  tell.good(`Refused, exit code ${code}`)
}

async function keep(outside: string, directory: string): Promise<void> {
  for (const name of [...(await names(outside)), 'trust-root.json'])
    await copyFile(join(outside, name), join(directory, name))
}

async function perform(
  play: Play,
  kept: { readonly directory: string; readonly name: string } | undefined,
): Promise<void> {
  const { tell } = play
  const start = performance.now()
  tell.title('Countersign: a notary for automated decisions')
  const made = await openHouse(play)
  const done = await notariseAll(play)
  await onceIsOnce(play, done)
  await overrule(play, made.leads, find(done, 'transfer.create').answer.id)
  const outside = await leaveHouse(play, made, done)
  await audit(play, made, outside)
  await decideAgain(play, outside)
  await forgery(play, made, outside)
  tell.gap()
  tell.say(`Everything held, in ${((performance.now() - start) / 1000).toFixed(1)} s.`)
  if (kept === undefined) return
  await keep(outside, kept.directory)
  tell.say(`Dossiers and trust root are in ${printable(kept.name)}: change a byte yourself.`)
}

/** `demo` */
export async function demo(
  { err, io, out }: Context,
  { keep: name }: { readonly keep?: string },
): Promise<number> {
  // A place that cannot be written to is better told of before the tour than after it.
  if (name !== undefined) makeDirectory(resolve(io.cwd, name), 0o777)
  const samples = await readSamples()
  const interrupt = listenForInterrupt(io.signals)
  const stage = await Stage.set(io.env)
  const play = { samples, stage, tell: new Narrator(io.stdout) }
  const kept = name === undefined ? undefined : { directory: resolve(io.cwd, name), name }
  try {
    const signal = await Promise.race([perform(play, kept), interrupt.asked])
    if (signal !== undefined) return signalExit[signal]
    // It was told without looking whether it could be.
    await out.write('')
    return exitCodes.done
  } catch (error) {
    if (!(error instanceof DemoFailed)) throw error
    err.note(`\ncountersign: ${error.message}\n`)
    return 1
  } finally {
    await stage.strike()
    interrupt.stop()
  }
}

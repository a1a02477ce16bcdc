// Signing as an approver: by a key file of ours, by stock ssh-keygen, or by whatever tool its owner has, whose signature is pasted.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { fromUtf8, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { approverKeyKinds, type ApproverKeyKindName } from '../crypto/approver-keys.ts'
import { labels } from '../crypto/labels.ts'
import { openApproverKey, readApproverPublicKey } from './approver-key.ts'
import type { Context } from './command.ts'
import { Usage } from './complain.ts'
import { readBounded, readStream } from './files.ts'
import { readTypedSecret } from './typed-secret.ts'

/** Whose key signs; one of the first three, the last two with a signature. */
export interface ApproverFlags {
  readonly key?: string
  readonly passphraseFile?: string
  readonly ssh?: string
  readonly signature?: string
  readonly publicKey?: string
  readonly person?: string
}

/** A public key as rosters write it. */
export interface PublicKey {
  readonly kind: ApproverKeyKindName
  readonly key: string
}

/** A signature with the key that made it, where that is known. */
export interface Signature {
  readonly by: PublicKey | undefined
  readonly signature: string
}

const maxFileBytes = 16_384

const readText = async ({ io }: Context, name: string): Promise<string> => {
  try {
    return fromUtf8(await readBounded(io.cwd, name, maxFileBytes))
  } catch (error) {
    if (error instanceof Usage) throw error
    throw new Usage(`File is not text: ${name}`)
  }
}

async function readInput(context: Context, name: string): Promise<string> {
  if (name !== '-') return readText(context, name)
  const bytes = await readStream(context.io.stdin, maxFileBytes)
  if (bytes.length > maxFileBytes) throw new Usage('Standard input is longer than a signature')
  return Buffer.from(bytes).toString('utf8')
}

/** The key that a text is, of whatever kind; of an SSH key the comment does not matter. */
export function readPublicKey(text: string): PublicKey {
  const trimmed = text.trim()
  const key = /^(sk-)?ssh-/.test(trimmed) ? trimmed.split(/\s+/).slice(0, 2).join(' ') : trimmed
  const names = Object.keys(approverKeyKinds) as ApproverKeyKindName[]
  const kind = names.find((name) => approverKeyKinds[name].problem(key) === undefined)
  if (kind === undefined)
    throw new Usage(`Key is of no kind that approvers have: ${key.slice(0, 80)}`)
  return { key, kind }
}

/** The public half of the file that ssh-keygen is given. */
const sshPublicKey = async (context: Context, ssh: string): Promise<PublicKey> =>
  readPublicKey(await readText(context, ssh.endsWith('.pub') ? ssh : `${ssh}.pub`))

/** The public key that flags name, without any secret. */
export async function publicKeyOf(context: Context, flags: ApproverFlags): Promise<PublicKey> {
  const { key, publicKey, ssh } = flags
  if (key !== undefined) {
    const read = readApproverPublicKey(await readBounded(context.io.cwd, key, maxFileBytes))
    return { key: read.publicKey, kind: read.kind }
  }
  if (ssh !== undefined) return sshPublicKey(context, ssh)
  if (publicKey !== undefined) return readPublicKey(publicKey)
  throw new Usage('A key is wanted: --key, --ssh or --public-key')
}

/** What stock ssh-keygen makes of a text; it asks for passphrase or touch by itself. */
async function sshSign({ io }: Context, ssh: string, text: string): Promise<string> {
  const args = ['-q', '-Y', 'sign', '-f', resolve(io.cwd, ssh), '-n', labels.override]
  const child = spawn('ssh-keygen', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.on('error', () => undefined)
  child.stdin.end(text)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return Buffer.concat(chunks).toString('utf8')
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', 'ssh-keygen cannot be run: install OpenSSH 8.2 or newer', {
      cause,
    })
  }
  throw new Usage(`ssh-keygen has not signed: --ssh ${ssh}`)
}

async function signByFile(
  context: Context,
  name: string,
  flags: ApproverFlags,
  text: string,
): Promise<Signature> {
  const file = await readBounded(context.io.cwd, name, maxFileBytes)
  readApproverPublicKey(file)
  using passphrase = await readTypedSecret(context, flags.passphraseFile, {
    option: '--passphrase-file',
    prompt: 'Passphrase of the key: ',
  })
  const opened = await openApproverKey(file, passphrase)
  try {
    const { kind, publicKey } = opened
    const signature = opened.sign(utf8(text), utf8(labels.override))
    return { by: { key: publicKey, kind }, signature }
  } finally {
    opened.close()
  }
}

/** The signature of a text by the key that flags name, or the one that is pasted. */
export async function signAs(
  context: Context,
  flags: ApproverFlags,
  text: string,
): Promise<Signature> {
  const { key, publicKey, signature, ssh } = flags
  if (key !== undefined) return signByFile(context, key, flags, text)
  if (ssh !== undefined)
    return { by: await sshPublicKey(context, ssh), signature: await sshSign(context, ssh, text) }
  const by = publicKey === undefined ? undefined : readPublicKey(publicKey)
  return { by, signature: (await readInput(context, signature ?? '-')).trim() }
}

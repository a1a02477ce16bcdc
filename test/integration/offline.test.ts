import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { founder, foundTestService, requestOf } from '../support/service.ts'

const root = resolve(import.meta.dirname, '../..')
const example = join(root, 'test/examples/verify-dossier.mjs')
const main = join(root, 'src/main.ts')

let directory: string
const file = (name: string): string => join(directory, name)

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'countersign-offline-'))
})

afterAll(() => {
  rmSync(directory, { force: true, recursive: true })
})

/** Writes a fresh dossier and its trust root, and gives the dossier's bytes. */
async function notarise(): Promise<Buffer> {
  const founded = await foundTestService({ profile: 'each' })
  const { service } = founded
  // A trust root that names keys of the past, too.
  for (const purpose of ['evidence', 'log'] as const)
    await service.orderKeys('default', { order: 'rotate', purpose }, founder)
  const { id } = await founded.notarise(requestOf(1))
  const dossier = await service.exportDossier('default', id)
  writeFileSync(file('dossier.json'), dossier)
  writeFileSync(file('trust-root.json'), await service.readTrustRoot('default'))
  return Buffer.from(dossier)
}

const run = (name: string): { status: number | null; stdout: string } =>
  spawnSync(process.execPath, [example, file(name), file('trust-root.json')], { encoding: 'utf8' })

/** The dossier with another character at the end of a member's base64. */
function withChanged(dossier: Buffer, member: string): Buffer {
  const copy = Buffer.from(dossier)
  const at = copy.indexOf(`"${member}":"`) + member.length + 4 + 40
  copy[at] = copy[at] === 0x41 ? 0x42 : 0x41
  return copy
}

describe('the example that needs nothing but Node', () => {
  it('verifies signature halves, leaf, inclusion and checkpoint of a fresh dossier, and sees what was changed', async () => {
    const dossier = await notarise()
    expect(run('dossier.json')).toMatchObject({
      status: 0,
      stdout: [
        'ok   leaf',
        'ok   inclusion',
        'ok   entry, ML-DSA-65',
        'ok   entry, Ed25519',
        'ok   log keys',
        'ok   checkpoint, Ed25519',
        'ok   checkpoint, ML-DSA-44\n',
      ].join('\n'),
    })
    for (const [member, failure] of [
      ['payload', 'FAIL leaf\n'],
      ['signature', 'FAIL entry, ML-DSA-65\n'],
    ] as const) {
      writeFileSync(file('changed.json'), withChanged(dossier, member))
      const { status, stdout } = run('changed.json')
      expect(status).toBe(1)
      expect(stdout).toContain(failure)
    }
    // The first letter of the root, in the checkpoint's third line.
    const text = dossier
      .toString()
      .replace(
        /(\\n\d+\\n)(.)/,
        (_, size: string, letter: string) => size + (letter === 'A' ? 'B' : 'A'),
      )
    writeFileSync(file('changed.json'), text)
    const { status, stdout } = run('changed.json')
    expect(status).toBe(1)
    for (const what of ['inclusion', 'checkpoint, Ed25519', 'checkpoint, ML-DSA-44'])
      expect(stdout).toContain(`FAIL ${what}\n`)
  })

  it('imports nothing else', () => {
    const imports = [...readFileSync(example, 'utf8').matchAll(/from '([^']+)'/g)]
    expect(imports.map(([, name]) => name)).toEqual(['node:crypto', 'node:fs'])
  })
})

describe('verifying without a network', () => {
  const unshare = process.getuid?.() === 0 ? ['-n'] : ['-rn']
  const alone = (...args: string[]) =>
    spawnSync('unshare', [...unshare, process.execPath, ...args], { encoding: 'utf8' })

  it('gives the same verdict', async () => {
    const dossier = await notarise()
    const verify = (name: string) =>
      alone(main, 'verify', file(name), '--trust', file('trust-root.json'))
    const good = verify('dossier.json')
    expect(good).toMatchObject({ status: 0 })
    expect(good.stdout).toMatch(/^valid /)
    writeFileSync(file('changed.json'), withChanged(dossier, 'signature'))
    const bad = verify('changed.json')
    expect(bad.status).not.toBe(0)
    expect(bad.stdout).toMatch(/^invalid /)
  })

  it('is really without one', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const script = `require('node:net').connect(${port ?? 0}, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(7))`
    const connected = spawn(process.execPath, ['-e', script])
    const [code] = (await once(connected, 'exit')) as [number]
    expect(code).toBe(0)
    expect(alone('-e', script).status).toBe(7)
    server.close()
  })
})

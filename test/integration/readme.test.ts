import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { needSoftHsm } from '../support/softhsm.ts'

const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        done(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  })

it('has fewer than 200 lines', () => {
  expect(readme.split('\n').length).toBeLessThan(200)
})

it(
  'says nothing that does not run: every command of every sh block, in order, in one shell',
  { timeout: 180_000 },
  async () => {
    const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '')
    expect(blocks).toHaveLength(5)
    const directory = mkdtempSync(join(tmpdir(), 'countersign-readme-'))
    onTestFinished(() => {
      rmSync(directory, { recursive: true, force: true })
    })
    const port = await freePort()
    needSoftHsm()
    // The commands stand for themselves; only where the package lies and which port is free differ here.
    const script = blocks
      .join('\n')
      .replaceAll('npm run -s', `npm --prefix ${root} run -s`)
      .replaceAll('8787', String(port))
      .replace('softhsm/init.sh', `${root}/softhsm/init.sh ${directory}/softhsm`)
    const run = spawnSync('bash', ['-eu', '-o', 'pipefail', '-c', script], {
      cwd: directory,
      encoding: 'utf8',
      timeout: 170_000,
    })
    expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0)
    expect(run.stdout.match(/\bvalid +\S+\.dossier\.json/g)).toHaveLength(5)
    expect(run.stdout).toContain('"status":"BLOCK"')
    expect(run.stdout).toMatch(/^same +valid +release\.dossier\.json/m)
    for (const line of [
      /^clean +default/m,
      /\bvalid +release\.tlog-proof/,
      /\bvalid +all\.period\.jsonl.*none missing, none added/,
    ])
      expect(run.stdout).toMatch(line)
  },
)

it('names the two commands, and they are scripts of the package', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  expect(readme).toContain('npm ci && npm run demo')
  expect(readme).toContain('npm ci && npm test')
  expect(Object.keys(scripts)).toEqual(
    expect.arrayContaining(['demo', 'test', 'bench', 'countersign']),
  )
})

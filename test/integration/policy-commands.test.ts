import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runHere } from '../support/cli-here.ts'

const cwd = mkdtempSync(join(tmpdir(), 'countersign-policy-'))
const cs = (...args: readonly string[]) => runHere(args, { cwd })

const bundle = (version: string, limit: number, id = 'payments'): string =>
  `dialect: native
bundle_id: ${id}
version: "${version}"
policies:
  - id: limits
    rules:
      - {id: small, effect: allow, when: {kind: lt, field: amount, value: ${limit}}}
`
const intent = (amount: number): string =>
  JSON.stringify({
    intent: { action: { type: 'pay' }, actor: { id: 'agent' }, context: { amount } },
  })

async function succeed(...args: readonly string[]): Promise<string> {
  const { code, stderr, stdout } = await cs(...args)
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  return stdout
}

beforeAll(async () => {
  writeFileSync(join(cwd, 'one.yaml'), bundle('1', 100))
  writeFileSync(join(cwd, 'two.yaml'), bundle('2', 50))
  writeFileSync(join(cwd, 'same.yaml'), bundle('3', 100))
  writeFileSync(join(cwd, 'changed.yaml'), bundle('1', 7))
  // Lines of one file get their places in any order.
  writeFileSync(join(cwd, 'first.ndjson'), intent(10))
  writeFileSync(join(cwd, 'asked.ndjson'), [60, 70, 200].map(intent).join('\n'))
  await succeed('init')
}, 30_000)
afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

it('policies are pushed, activated, listed, shown, replaced and retired', async () => {
  const pushed = await cs('policy', 'push', 'one.yaml')
  expect(pushed.stderr).toContain('countersign policy activate payments@1')
  expect(await succeed('policy', 'activate', 'payments')).toContain('everywhere')
  expect((await cs('policy', 'push', 'changed.yaml')).code).toBe(1)
  await succeed('policy', 'push', 'two.yaml')
  const ambiguous = await cs('policy', 'activate', 'payments')
  expect(ambiguous).toMatchObject({ code: 2 })
  expect(ambiguous.stderr).toContain('payments@1, payments@2')
  const scoped = ['--on-action', 'pay', 'refund.*', '--in-environment', 'production']
  expect(await succeed('policy', 'activate', 'payments@2', ...scoped)).toContain(
    'actions pay refund.*, environments production',
  )
  expect(await cs('policy', 'activate', 'payments@1')).toMatchObject({ code: 1 })
  const back = await cs('policy', 'activate', 'payments@1', '--rollback')
  expect(back).toMatchObject({ code: 0 })
  expect(back.stderr).toContain(
    'It decides on: everywhere. Version 2 decided on: actions pay refund.*, environments production',
  )
  expect((await cs('policy', 'activate', 'payments@1')).stderr).not.toContain('decided on')
  const listed = await succeed('policy', 'list', '--json')
  const list = (JSON.parse(listed) as { policies: { sha256: string }[] }).policies
  expect(list).toMatchObject([{ state: 'active' }, { state: 'replaced' }])
  const [one, two] = list
  expect(await succeed('policy', 'show', one?.sha256.slice(0, 8) ?? '')).toContain('"value": 100')
  await succeed('policy', 'retire', two?.sha256 ?? '', '--reason', 'never meant')
  expect(await cs('policy', 'activate', 'payments@2')).toMatchObject({ code: 1 })
  expect(await cs('policy', 'show', 'nobody')).toMatchObject({ code: 1 })
  expect(await succeed('log', 'fsck')).toMatch(/^clean /)
})

it('a policy decides what is notarised without a status, and decides again from its dossier', async () => {
  const texts = [
    await succeed('notarise', 'first.ndjson'),
    await succeed('notarise', 'asked.ndjson'),
  ]
  const lines = texts.join('').trimEnd().split('\n')
  const answers = lines.map((line) => JSON.parse(line) as { id: string; status: string })
  expect(answers.map(({ status }) => status)).toEqual(['ALLOW', 'ALLOW', 'ALLOW', 'BLOCK'])
  const [first, , , last] = answers
  expect(first).toMatchObject({ proceed: true, obligations: [], reasons: [{}] })
  expect(last).toMatchObject({ proceed: false, reasons: [{}] })
  await succeed('trust-root', '-o', 'trust-root.json')
  const id = answers[0]?.id ?? ''
  await succeed('dossier', 'export', id, '-o', 'one.dossier.json')
  const again = ['reevaluate', 'one.dossier.json']
  expect(await succeed(...again, '--trust', 'trust-root.json')).toMatch(/^same +valid +one\./)
  const bare = await cs(...again)
  expect(bare.stderr).toContain('not looked at')
  await succeed('erase', id, '--reason', 'asked')
  await succeed('dossier', 'export', id, '-o', 'erased.dossier.json')
  expect((await cs('reevaluate', 'erased.dossier.json')).code).toBe(4)
  const { code, stdout } = await cs('reevaluate', 'one.yaml', '--json')
  expect(code).toBe(4)
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'unknown' })
})

it('a dry run over history tells what another version would change, and writes nothing', async () => {
  const sizeOf = async (): Promise<unknown> =>
    (JSON.parse(await succeed('tenant', 'list', '--json')) as { tenants: { size: number }[] })
      .tenants[0]?.size
  const before = await sizeOf()
  const { code, stderr, stdout } = await cs('policy', 'diff', 'two.yaml', '--json')
  expect(code).toBe(1)
  const changes = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(changes).toMatchObject([
    { was: 'ALLOW', would: 'BLOCK' },
    { was: 'ALLOW', would: 'BLOCK' },
  ])
  expect(stderr).toBe('3 decisions replayed, 2 would change; 2 from ALLOW to BLOCK; 1 erased\n')
  const same = await cs('policy', 'diff', 'same.yaml')
  expect(same).toMatchObject({ code: 0, stdout: '' })
  expect(same.stderr).toContain('none would change')
  expect((await cs('policy', 'diff', 'two.yaml', '--limit', '1')).stderr).toContain('1 decisions')
  expect((await cs('policy', 'diff', 'two.yaml', '--status', 'BLOCK')).code).toBe(0)
  expect(await sizeOf()).toBe(before)
})

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { firstLineOf, outcomeOf, runCountersign, startCountersign } from '../support/cli.ts'

const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'countersign-test-'))
  onTestFinished(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

it('the demonstration holds, leaves what it is told to leave, and nothing else', async () => {
  const cwd = directory()
  const temporary = directory()
  const { code, stderr, stdout } = await runCountersign(['demo', '--keep', 'kept'], {
    cwd,
    env: { TMPDIR: temporary },
  })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).not.toContain('\u001b')
  expect(stdout.match(/^ {2}valid /gm)).toHaveLength(14)
  expect(stdout).toMatch(/^ {2}valid .*treasury-2026-11-20-0417.*ALLOW by override/m)
  expect(stdout).toMatch(/^ {2}invalid .*treasury-2026-11-20-0417\.dossier\.json/m)
  expect(stdout).toMatch(/Everything held, in [\d.]+ s\./)
  const kept = readdirSync(join(cwd, 'kept'))
  expect(kept.filter((name) => name.endsWith('.dossier.json'))).toHaveLength(14)
  expect(kept).toContain('trust-root.json')
  const files = kept.filter((name) => name !== 'trust-root.json')
  const verify = ['verify', ...files, '--trust', 'trust-root.json']
  expect((await runCountersign(verify, { cwd: join(cwd, 'kept') })).code).toBe(0)
  expect(readdirSync(temporary)).toEqual([])
})

it('the demonstration does not say that all was told when its reader has gone', async () => {
  const temporary = directory()
  const child = startCountersign(['demo'], { cwd: directory(), env: { TMPDIR: temporary } })
  await firstLineOf(child)
  const outcome = outcomeOf(child)
  child.stdout?.destroy()
  expect(await outcome).toMatchObject({ code: 141, stderr: '' })
  expect(readdirSync(temporary)).toEqual([])
})

it('the demonstration cleans up when it is interrupted', async () => {
  const temporary = directory()
  const child = startCountersign(['demo'], { cwd: directory(), env: { TMPDIR: temporary } })
  const begun = new Promise((done) => child.stdout?.once('data', done))
  const outcome = outcomeOf(child)
  await begun
  child.kill('SIGINT')
  expect((await outcome).code).toBe(130)
  expect(readdirSync(temporary)).toEqual([])
})

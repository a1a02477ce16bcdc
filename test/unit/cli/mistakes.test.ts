import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Composition } from '../../../src/cli/composition.ts'
import { run, type Ran } from './harness.ts'

/** What nobody may ask: a mistake is told before anything is opened. */
const untouched = (): never => {
  throw new Error('asked')
}
const composition: Partial<Composition> = {
  checkLogs: untouched,
  connectServer: untouched,
  openReading: untouched,
  openService: untouched,
}

function place(files: Readonly<Record<string, string>>): string {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-mistakes-'))
  onTestFinished(() => {
    rmSync(cwd, { recursive: true })
  })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content)
  return cwd
}

const mistake = ({ code, stderr, stdout }: Ran): string => {
  expect([code, stdout]).toEqual([2, ''])
  return stderr
}

describe('a mistake of the user', () => {
  it('in the trust root of log fsck is not told as damage of the database', async () => {
    const cwd = place({ 'trust.json': 'no trust root' })
    const argv = ['log', 'fsck', '--trust', 'trust.json']
    expect(mistake(await run(argv, { composition, cwd }))).toMatch(
      /^countersign: Trust root: .*: trust\.json\n$/,
    )
  })

  it('in the file of proposal open is named: a request holds more than is voted on', async () => {
    const intent = { action: { type: 'deploy' }, actor: { id: 'bot' } }
    const cwd = place({ 'request.json': JSON.stringify({ intent, maxUses: 1 }) })
    const ran = await run(['proposal', 'open', 'request.json'], { composition, cwd })
    expect(mistake(ran)).toBe(
      'countersign: The intent alone is wanted, not a request with an intent in it: request.json\n',
    )
  })

  it('in what the leads are to read is told before they are asked', async () => {
    const erase = ['erase', '01890a5d-ac96-774b-bcce-b302099a8057', '--reason', 'r']
    for (const text of ['', 'x'.repeat(1025)])
      expect(mistake(await run([...erase, '--justification', text], { composition }))).toBe(
        'countersign: A justification has 1 to 1024 characters: --justification\n',
      )
    for (const text of ['', 'x'.repeat(2049)])
      expect(mistake(await run(['policy', 'retire', 'p', '--reason', text], { composition }))).toBe(
        'countersign: A reason has 1 to 2048 characters: --reason\n',
      )
  })

  it('in a purpose of a key is answered with all that the command takes', async () => {
    const rotated = mistake(await run(['keys', 'rotate', 'master'], { composition }))
    expect(rotated).toBe('countersign: Purpose is not one of evidence, fast, log, bundle: master\n')
    const offered = mistake(await run(['keys', 'offer', 'bundle'], { composition }))
    expect(offered).toBe('countersign: Purpose is not one of evidence, fast, log: bundle\n')
  })

  it('in the place that a demo leaves its files at is told before the demo', async () => {
    const cwd = place({ taken: '' })
    const told = mistake(await run(['demo', '--keep', 'taken'], { composition, cwd }))
    expect(told).toContain(`The system refuses mkdir (EEXIST): ${join(cwd, 'taken')}`)
    expect(readdirSync(cwd)).toEqual(['taken'])
    expect(existsSync(join(cwd, 'taken', 'trust-root.json'))).toBe(false)
    // Where the system has no such place Node's own way asks for ever.
    const nowhere = mistake(await run(['demo', '--keep', '/proc/nowhere'], { composition, cwd }))
    expect(nowhere).toContain('The system refuses mkdir (ENOENT): /proc/nowhere')
  })
})

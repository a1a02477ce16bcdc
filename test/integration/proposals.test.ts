import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProposalView } from '../../src/wire/proposals.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'
import { needSshKeygen } from '../support/ssh-keygen.ts'

const me = userInfo().username
const intent = JSON.stringify({ action: { type: 'deploy' }, actor: { id: 'bot-7' } })

describe('a vote at the command line', () => {
  let cwd: string
  const cs = (...args: string[]): Promise<Ran> => runHere(args, { cwd })
  const done = async (...args: string[]): Promise<string> => {
    const { code, stderr, stdout } = await cs(...args)
    expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
    return stdout
  }
  const told = async (...args: string[]): Promise<ProposalView> =>
    JSON.parse(await done('proposal', ...args, '--json')) as ProposalView

  beforeAll(async () => {
    needSshKeygen()
    cwd = mkdtempSync(join(tmpdir(), 'countersign-proposals-'))
    writeFileSync(join(cwd, 'intent.json'), intent)
    await done('init', '--origin', 'log.example', '--profile', 'checkpoint')
  }, 60_000)
  afterAll(() => {
    rmSync(cwd, { force: true, recursive: true })
  })

  it('is refused without a roster, and with one comes to a decision that verifies', async () => {
    const early = await cs('proposal', 'open', 'intent.json')
    expect(early).toMatchObject({ code: 1 })
    expect(early.stderr).toContain('There is no roster')
    await done('roster', 'propose', '--out', 'roster.json')
    for (const [person, role] of [
      ['ann', 'risk_lead'],
      ['bob', 'security_lead'],
      [me, 'reviewer'],
    ] as const) {
      spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `key-${person}`], { cwd })
      const enrolled = ['--person', person, '--role', role, '--ssh', `key-${person}`]
      await done('roster', 'enrol', 'roster.json', ...enrolled)
    }
    for (const person of ['ann', 'bob', me])
      await done('roster', 'sign', 'roster.json', '--ssh', `key-${person}`)
    await done('roster', 'apply', 'roster.json')

    const others = await told('open', 'intent.json', '--note', 'Release 7')
    expect(others).toMatchObject({ proposer: me, status: 'open', voters: ['ann', 'bob'] })
    const own = await cs('proposal', 'vote', others.proposal, 'approve')
    expect(own).toMatchObject({ code: 1 })
    expect(own.stderr).toContain('may not vote')
    expect(await done('proposal', 'show', others.proposal)).toContain('Release 7')
    const soon = await cs('proposal', 'close', others.proposal)
    expect(soon.stderr).toContain('still open')
    const withdrawal = ['withdraw', others.proposal, '--reason', 'Done by hand']
    expect(await told(...withdrawal)).toMatchObject({ decision: null, status: 'withdrawn' })

    const rule = ['--voter', me, '--proposer-may-vote', '--quorum', '1', '--threshold', '1/1']
    const opened = await told('open', 'intent.json', ...rule, '--within', '3600')
    const closed = await told('vote', opened.proposal, 'approve', '--note', 'Seen')
    expect(closed).toMatchObject({ status: 'approved', votes: [{ voter: me, vote: 'APPROVE' }] })
    const id = closed.decision ?? ''
    const list = (await done('proposal', 'list')).split('\n')
    expect(list[1]).toMatch(new RegExp(`^${opened.proposal}.*approved.*${id}$`))
    expect(list[2]).toMatch(new RegExp(`^${others.proposal}.*withdrawn`))

    await done('trust-root', '-o', 'trust.json')
    for (const [name, says] of [
      [id, `Follows from proposal-${opened.proposal}`],
      [`proposal-${opened.proposal}`, `${me} (APPROVE)`],
    ] as const) {
      await done('dossier', 'export', name, '-o', `${name}.json`)
      const verified = await cs('verify', `${name}.json`, '--trust', 'trust.json')
      expect(verified).toMatchObject({ code: 0 })
      expect(verified.stderr).toContain(says)
    }
    expect((await cs('reevaluate', `${id}.json`)).stdout).toContain(opened.proposal)
    await done('audit', 'export', '-o', 'all.period.jsonl')
    await done('verify', 'all.period.jsonl', '--trust', 'trust.json')
    await done('log', 'fsck')
  }, 60_000)

  it.each([
    [['vote', 'x', 'approve'], 'id of a proposal'],
    [['vote', '01890a5d-ac96-774b-bcce-b302099a8057', 'yes'], 'A vote is approve'],
    [['open', 'intent.json', '--threshold', 'half'], 'fraction such as 2/3'],
    [['open', 'intent.json', '--quorum', '101'], 'from 1 to 100'],
    [['open', 'intent.json', '--note', ''], '--note'],
    [['withdraw', '01890a5d-ac96-774b-bcce-b302099a8057'], '--reason'],
  ])('says how %j is meant, and exits 2', async (args, why) => {
    const { code, stderr } = await cs('proposal', ...args)
    expect({ code, why: stderr.includes(why) ? why : stderr }).toEqual({ code: 2, why })
  })
})

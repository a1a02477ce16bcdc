import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { firstLineOf, runCountersign, startCountersign, type Ran } from '../support/cli.ts'

let cwd: string

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-audit-'))
})

afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

const cs = (...args: string[]): Promise<Ran> => runCountersign(args, { cwd })

describe('a period taken out beside a running server', () => {
  it('is logged by the server, verifies, and a later one holds the entry that told of it', async () => {
    expect((await cs('init')).code).toBe(0)
    const server = startCountersign(['serve', '--port', '0'], { cwd })
    const ended = once(server, 'close')
    try {
      await firstLineOf(server)
      const input = ['ALLOW', 'BLOCK']
        .map((status) => ({ intent: { action: { type: 'pay' }, actor: { id: 'bot' } }, status }))
        .map((request) => `${JSON.stringify(request)}\n`)
        .join('')
      expect((await runCountersign(['notarise', '-'], { cwd, input })).code).toBe(0)
      const first = await cs('audit', 'export', '--status', 'BLOCK', '-o', 'first', '--json')
      const { recorded, to } = JSON.parse(first.stdout) as { recorded: number; to: number }
      expect([first.code, recorded]).toEqual([0, to])
      expect((await cs('audit', 'export', '-o', 'second')).code).toBe(0)
    } finally {
      server.kill('SIGTERM')
      await ended
    }
    expect((await cs('trust-root', '-o', 'trust.json')).code).toBe(0)
    const { code, stdout } = await cs('verify', 'first', 'second', '--trust', 'trust.json')
    expect([code, stdout.match(/none missing, none added; \d dossiers?,/g)]).toEqual([
      0,
      ['none missing, none added; 1 dossier,', 'none missing, none added; 2 dossiers,'],
    ])
    expect((await cs('dossier', 'export', 'admin', '-o', 'admin.json')).code).toBe(0)
    expect((await cs('verify', 'admin.json', '--trust', 'trust.json')).code).toBe(0)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { runHere } from '../../support/cli-here.ts'

const cwd = mkdtempSync(join(tmpdir(), 'policy-card-'))
afterAll(() => {
  rmSync(cwd, { recursive: true })
})
const write = (name: string, value: unknown): void => {
  writeFileSync(join(cwd, name), JSON.stringify(value))
}
const card = {
  buyer: { id: 'acme', name: 'Acme', type: 'organization' },
  decision: {
    effective_from: '2026-01-01T00:00:00Z',
    effective_until: '2027-01-01T00:00:00Z',
    status: 'approved',
  },
  decision_card_version: '0.1',
  decision_id: 'D1',
  issued_at: '2026-01-01T00:00:00Z',
  rationale: 'Reviewed',
  subject: { vendor_id: 'https://vendor.example', vendor_name: 'Vendor' },
}
write('card.json', card)
write('rejected.json', { ...card, decision: { status: 'rejected' } })
write('none.json', { decision_id: 'D1' })
const context = (vendor: string) => ({
  action: 'use',
  data: {},
  resource: { vendor_id: vendor },
})
write('vendor.json', context('https://vendor.example'))
write('other.json', context('https://other.example'))

const policy = (...args: readonly string[]) => runHere(['policy', ...args], { cwd })

/** The exit code of asking a card’s bundle about a context at a time. */
async function asked(args: readonly string[], about: string, at: string): Promise<number | null> {
  const { code, stderr, stdout } = await policy('card', ...args, '--at', '2026-06-01T00:00:00Z')
  expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
  writeFileSync(join(cwd, 'bundle.json'), stdout)
  return (await policy('eval', 'bundle.json', about, '--at', at)).code
}

const within = '2026-06-01T00:00:00Z'

it('a card allows its vendor within its window, and nobody else', async () => {
  expect(await asked(['card.json'], 'vendor.json', within)).toBe(0)
  expect(await asked(['card.json'], 'other.json', within)).toBe(1)
  expect(await asked(['card.json'], 'vendor.json', '2027-01-01T00:00:00Z')).toBe(1)
  expect(await asked(['card.json', '--use', 'train'], 'vendor.json', within)).toBe(1)
  expect(await asked(['rejected.json'], 'vendor.json', within)).toBe(1)
})

it('dialect 0.1 knows no window, and says so', async () => {
  const { code, stderr, stdout } = await policy('card', 'card.json', '--dialect', '0.1')
  expect(code).toBe(0)
  expect(stderr).toContain('neither the window')
  expect(JSON.parse(stdout)).toMatchObject({ bundle_id: 'decision-card-D1', dialect: '0.1' })
})

it('refuses what is no card, a wrong attestation, and half a key', async () => {
  expect((await policy('card', 'none.json')).code).toBe(2)
  expect((await policy('card', 'card.json', '--dialect', '0.2')).code).toBe(2)
  const key = Buffer.alloc(32).toString('base64')
  const named = ['--buyer', 'acme', '--key', key, '--key-url', 'https://acme.example/key']
  const attested = await policy('card', 'card.json', '--attestation', 'card.json', ...named)
  expect(attested).toMatchObject({ code: 2, stdout: '' })
  expect((await policy('card', 'card.json', '--key', key)).code).toBe(2)
  const short = ['--buyer', 'acme', '--key', 'AAAA', '--key-url', 'https://acme.example/key']
  expect((await policy('card', 'card.json', ...short)).code).toBe(2)
})

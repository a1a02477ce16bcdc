import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { formatDossier, type Dossier, type DossierEntry } from '../../../src/dossier/v1.ts'
import { FakeService } from '../../support/fake-service.ts'
import { run, type Ran } from './harness.ts'

let cwd: string

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-refresh-'))
})

afterAll(() => {
  rmSync(cwd, { recursive: true })
})

const entry = (index: number, change: Partial<DossierEntry> = {}): DossierEntry => ({
  index,
  leaf: utf8(`leaf ${index}`),
  payload: utf8('content'),
  proof: [],
  signature: utf8('signature'),
  ...change,
})

const dossier = (change: Partial<Dossier> = {}): Dossier => ({
  checkpoint: 'example.com/acme\n9\nAAAA\n',
  cited: [],
  entries: [entry(3), entry(5)],
  stream: 'some-id',
  ...change,
})

async function refresh(old: Dossier | string, fresh: Dossier, ...argv: string[]): Promise<Ran> {
  writeFileSync(join(cwd, 'old.json'), typeof old === 'string' ? old : formatDossier(old))
  const service = new FakeService()
  service.decisions.set('some-id', {} as never)
  service.exportDossier = (tenant, stream) =>
    tenant === 'acme' && stream === 'some-id'
      ? Promise.resolve(formatDossier(fresh))
      : FakeService.prototype.exportDossier.call(service, tenant, stream)
  return run(['dossier', 'refresh', 'old.json', ...argv], { cwd, service })
}

describe('dossier refresh', () => {
  const later = dossier({
    checkpoint: 'example.com/acme\n20\nBBBB\n',
    entries: [entry(3), entry(5), entry(12)],
  })

  it('writes the dossier of today, wherever the old one stands in it whole', async () => {
    const printed = await refresh(dossier(), later)
    expect([printed.code, printed.stderr]).toEqual([0, '2 entries as before, 1 more\n'])
    expect(printed.stdout).toBe(Buffer.from(formatDossier(later)).toString())
    const written = await refresh(dossier(), later, '-o', 'new.json')
    expect([written.code, written.stdout]).toEqual([0, ''])
    expect(new Uint8Array(readFileSync(join(cwd, 'new.json')))).toEqual(formatDossier(later))
  })

  it.each<[string, Dossier | string, Dossier, string]>([
    [
      'another leaf',
      dossier(),
      dossier({ entries: [entry(3), entry(5, { leaf: utf8('x') })] }),
      'Entry 5 has another leaf',
    ],
    [
      'a missing entry',
      dossier(),
      dossier({ entries: [entry(5)] }),
      'Entry 3 is not in the log’s stream some-id',
    ],
    [
      'a stream that is not there',
      dossier({ stream: 'gone' }),
      later,
      'The log has no stream gone',
    ],
    ['a file that is no dossier', '{}', later, 'Not a v1 dossier'],
  ])('exits 3 for %s, and writes nothing', async (_, old, fresh, said) => {
    const { code, stderr, stdout } = await refresh(old, fresh)
    expect([code, stdout, stderr]).toEqual([3, '', expect.stringContaining(said)])
  })

  it('says what was erased since', async () => {
    const { code, stderr } = await refresh(
      dossier(),
      dossier({ entries: [entry(3, { payload: null }), entry(5), entry(12)] }),
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining('content: entries 1\n')])
  })

  it('cites the policies again, unless they are not those of the log', async () => {
    const cited = [entry(1)]
    const old = dossier({ cited })
    const refused = [3, expect.stringContaining('Entry 1 is not the policy of the log')]
    const told = async (fresh: Dossier): Promise<unknown[]> => {
      const { code, stderr } = await refresh(old, fresh)
      return [code, stderr]
    }
    expect((await told({ ...later, cited }))[0]).toBe(0)
    expect(await told(later)).toEqual(refused)
    expect(await told({ ...later, cited: [entry(1, { leaf: utf8('other') })] })).toEqual(refused)
    const erased = [entry(3, { payload: null }), entry(5), entry(12)]
    expect((await told({ ...later, entries: erased }))[0], 'cited by what is erased').toBe(0)
  })

  it('knows no other logs', async () => {
    const elsewhere = await refresh(dossier({ checkpoint: 'else.where/x\n9\n' }), later)
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      1,
      expect.stringContaining('not here: else.where/x'),
    ])
  })
})

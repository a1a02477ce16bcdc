import { describe, expect, it } from 'vitest'
import {
  actionOfStream,
  actionStreamOf,
  isProposalStream,
  proposalOfStream,
  proposalStreamOf,
  fastKinds,
  kinds,
  kindsOfStream,
  predicateTypeOf,
  systemStreams,
} from '../../../src/dossier/kinds.ts'

const decisions = ['decision', 'execution', 'escalation', 'approval', 'override', 'erasure']

describe('the kinds of entry', () => {
  it('are twelve, and closed', () => {
    expect(kinds).toHaveLength(12)
    expect(Object.isFrozen(kinds)).toBe(true)
    expect(predicateTypeOf('decision')).toBe('urn:countersign:decision:v1')
  })

  it('may be signed by the fast key in two cases only', () => {
    expect(fastKinds).toEqual(['decision', 'execution'])
  })
})

describe('a stream', () => {
  it('of the system holds its own kinds', () => {
    expect(systemStreams.map((stream) => [stream, kindsOfStream(stream)])).toEqual([
      ['keys', ['key']],
      ['policies', ['policy']],
      ['roster', ['roster']],
      ['trust', ['trust']],
      ['admin', ['admin', 'anchor']],
      ['control', ['admin']],
    ])
  })

  it('of an action holds what leads do, and is named by a UUID', () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8001'
    expect(actionStreamOf(id)).toBe(`action-${id}`)
    expect(actionOfStream(actionStreamOf(id))).toBe(id)
    expect(kindsOfStream(actionStreamOf(id))).toEqual(['approval', 'override'])
    for (const name of ['action-', 'action-7', `action-${id}0`, `action-${id.toUpperCase()}`])
      expect(kindsOfStream(name)).toEqual([])
  })

  it('named by a UUID is a decision’s, and by anything else is none', () => {
    expect(kindsOfStream('01890a5d-ac96-774b-bcce-b302099a8001')).toEqual(decisions)
    for (const name of ['', 'key', 'Keys', '01890A5D-AC96-774B-BCCE-B302099A8001'])
      expect(kindsOfStream(name)).toEqual([])
  })

  it('is not mistaken for what every object has', () => {
    for (const name of ['constructor', 'toString', 'valueOf', '__proto__', 'hasOwnProperty'])
      expect(kindsOfStream(name)).toEqual([])
  })

  it('leaves no kind without a place', () => {
    const placed = new Set([...systemStreams.flatMap(kindsOfStream), ...decisions])
    expect(kinds.filter((kind) => !placed.has(kind))).toEqual([])
  })
})

it('gives a proposal a stream of its own, by its id', () => {
  const id = '0197a9d0-0000-7000-8000-000000000003'
  expect(proposalStreamOf(id)).toBe(`proposal-${id}`)
  expect(proposalOfStream(proposalStreamOf(id))).toBe(id)
  expect(kindsOfStream(proposalStreamOf(id))).toEqual(['approval'])
  for (const other of [id, 'proposal-', 'proposal-1', `proposal-${id}0`, `action-${id}`])
    expect([other, isProposalStream(other)]).toEqual([other, false])
})

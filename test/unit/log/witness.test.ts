import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { createWitness, openWitness, peekWitness, type Witness } from '../../../src/log/witness.ts'
import { witnessedLogId } from '../../../src/log/witness-state.ts'
import { parseCheckpointVkey, verifyCheckpoint } from '../../../src/merkle/checkpoint.ts'
import { formatNoteLine, formatVkey, parseNote, type Vkey } from '../../../src/merkle/note.ts'
import { readCheckpoint } from '../../support/c2sp-client.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { WitnessedTestLog } from '../../support/witnessed-log.ts'

const time = { now: 1_800_000_000_000 }

async function found(directory = temporaryDirectory()) {
  await createWitness(directory, 'w.example')
  const witness = await openWitness(directory, () => time.now)
  onTestFinished(() => {
    witness.close()
  })
  return { directory, witness }
}

const log = new WitnessedTestLog(12)
const forked = new WitnessedTestLog(12, { forkAt: 4 })

async function foundKnowing() {
  const made = await found()
  made.witness.putLog(log.origin, log.vkeys)
  return made
}

const vkeyOf = (text: string): Vkey => {
  const vkey = parseCheckpointVkey(text)
  if (typeof vkey === 'string') throw new Error(vkey)
  return vkey
}

/** The lines of an answer under the note they are for, verified by the witness's keys. */
function verified(witness: Witness, note: string, lines: string) {
  const result = verifyCheckpoint(note + lines, witness.vkeys)
  if ('reason' in result) throw new Error(result.reason)
  return result.lines
}

const fileOf = (directory: string): string =>
  join(directory, 'logs', `${witnessedLogId(log.origin)}.json`)

describe('a witness', () => {
  it('cosigns the first checkpoint, a larger one with its proof, and the same again, by both keys', async () => {
    const { witness } = await foundKnowing()
    for (const [old, size] of [
      [0, 3],
      [3, 3],
      [3, 8],
      [8, 12],
    ] as const) {
      const { body, status } = witness.addCheckpoint(log.ask(old, size))
      expect([status, size]).toEqual([200, size])
      const lines = verified(witness, log.note(size), body)
      expect(lines.map(({ vkey }) => vkey.type)).toEqual([4, 6])
      expect(lines.map(({ timestamp }) => timestamp)).toEqual([1_800_000_000, 1_800_000_000])
    }
    const kept = witness.readCheckpoint(witnessedLogId(log.origin))
    expect(kept).toContain(`${log.origin}\n12\n${log.rootText(12)}\n`)
    const keys = [...log.vkeys.map(vkeyOf), ...witness.vkeys]
    expect(verifyCheckpoint(kept ?? '', keys)).toMatchObject({
      checkpoint: { size: 12 },
      lines: { length: 4 },
    })
  })

  it('cosigns so that a client written from the standard’s text alone takes its lines', async () => {
    const { witness } = await foundKnowing()
    const note = log.note(6)
    const { body } = witness.addCheckpoint(log.ask(0, 6, note))
    const vkeys = [...log.vkeys, ...witness.vkeys.map(formatVkey)]
    expect(readCheckpoint(note + body, vkeys)).toMatchObject({
      signedBy: ['Ed25519', 'ML-DSA-44', 'Ed25519', 'ML-DSA-44'],
      size: 6,
    })
    const later = log.note(7).split('\n\n')[0] ?? ''
    const moved = `${later}\n\n${body}`
    expect(() => readCheckpoint(moved, witness.vkeys.map(formatVkey))).toThrow('does not verify')
  })

  it('cosigns the empty tree, and only with its one root', async () => {
    const { witness } = await foundKnowing()
    expect(witness.addCheckpoint(log.ask(0, 0)).status).toBe(200)
    expect(witness.addCheckpoint(log.ask(0, 0)).status).toBe(200)
    const wrong = log.note(0).replace('47DEQpj8HBSa', '57DEQpj8HBSa')
    expect(witness.addCheckpoint(log.ask(0, 0, wrong)).status).toBe(403)
    expect(witness.addCheckpoint(log.ask(0, 5)).status).toBe(200)
  })

  it('tells the size it has when asked from another', async () => {
    const { witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 5))
    for (const old of [0, 4, 6])
      expect(witness.addCheckpoint(log.ask(old, 8))).toEqual({
        body: '5\n',
        status: 409,
        type: 'text/x.tlog.size',
      })
    expect(witness.addCheckpoint(log.ask(5, 5)).status).toBe(200)
  })

  it('refuses what does not add to what it cosigned', async () => {
    const { witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 6))
    expect(witness.addCheckpoint(forked.ask(6, 8)).status).toBe(422)
    expect(witness.addCheckpoint(forked.ask(6, 6)).status).toBe(422)
    const bare = `old 6\n\n${log.note(8)}`
    expect(witness.addCheckpoint(utf8(bare)).status).toBe(422)
    const padded = fromUtf8(log.ask(6, 6)).replace('\n', `\n${log.rootText(6)}\n`)
    expect(witness.addCheckpoint(utf8(padded)).status).toBe(422)
    expect(witness.addCheckpoint(log.ask(6, 8)).status).toBe(200)
  })

  it('takes no proof from nothing', async () => {
    const { witness } = await foundKnowing()
    const padded = fromUtf8(log.ask(0, 6)).replace('\n', `\n${log.rootText(6)}\n`)
    expect(witness.addCheckpoint(utf8(padded)).status).toBe(422)
    expect(witness.addCheckpoint(log.ask(0, 6)).status).toBe(200)
  })

  it('knows only the logs it was told of', async () => {
    const { witness } = await found()
    expect(witness.addCheckpoint(log.ask(0, 6)).status).toBe(404)
    expect(witness.logs()).toEqual([])
    expect(witness.readCheckpoint(witnessedLogId(log.origin))).toBeUndefined()
  })

  it('wants both kinds of signature where the log has keys of both', async () => {
    const { witness } = await foundKnowing()
    const parsed = parseNote(log.note(6))
    if (typeof parsed === 'string') throw new Error(parsed)
    for (const line of parsed.lines) {
      const half = `${parsed.text}\n${formatNoteLine(line)}`
      expect(witness.addCheckpoint(log.ask(0, 6, half)).status).toBe(403)
    }
    expect(witness.logs()[0]?.latest).toBeNull()
  })

  it.each([
    ['another log’s key', () => new WitnessedTestLog(6, { key: 7 }).ask(0, 6), 403],
    [
      'another root',
      () => log.ask(0, 6, forked.note(6).replace(forked.rootText(6), log.rootText(6))),
      403,
    ],
    ['an extension line', () => log.ask(0, 6, log.note(6).replace('\n\n', '\nmore\n\n')), 400],
    ['no signature', () => log.ask(0, 6, log.note(6).replace(/— .*\n/g, '')), 400],
    ['an old size beyond the new one', () => utf8(`old 7\n\n${log.note(6)}`), 400],
    ['no note', () => utf8('old 0\n\n'), 400],
    ['nothing', () => new Uint8Array(), 400],
    ['no text', () => Uint8Array.of(0xff, 0xfe), 400],
  ] as const)('refuses a request with %s', async (_, body, status) => {
    const { witness } = await foundKnowing()
    expect(witness.addCheckpoint(body()).status).toBe(status)
    expect(witness.logs()[0]?.latest).toBeNull()
  })

  it('never goes back in time, whatever its clock does', async () => {
    const { witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 3))
    time.now -= 3_600_000
    try {
      const { body } = witness.addCheckpoint(log.ask(3, 6))
      const [line] = verified(witness, log.note(6), body)
      expect(line?.timestamp).toBe(1_800_000_000)
    } finally {
      time.now += 3_600_000
    }
  })

  it('answers a replay within the second without writing', async () => {
    const { directory, witness } = await foundKnowing()
    const first = witness.addCheckpoint(log.ask(0, 3)).body
    const { ino } = statSync(fileOf(directory))
    expect(witness.addCheckpoint(log.ask(3, 3)).body).toBe(first)
    expect(statSync(fileOf(directory)).ino).toBe(ino)
    time.now += 1000
    try {
      expect(witness.addCheckpoint(log.ask(3, 3)).body).not.toBe(first)
    } finally {
      time.now -= 1000
    }
  })
})

describe('what a witness keeps', () => {
  it('stays when it is opened again, with the same keys', async () => {
    const { directory, witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 6))
    const { vkeys } = witness
    witness.close()
    const again = await openWitness(directory, () => time.now)
    expect(again.vkeys).toEqual(vkeys)
    expect(again.addCheckpoint(forked.ask(0, 8)).status).toBe(409)
    expect(again.addCheckpoint(forked.ask(6, 8)).status).toBe(422)
    expect(again.addCheckpoint(log.ask(6, 8)).status).toBe(200)
    again.close()
    expect(peekWitness(directory).logs[0]?.latest?.size).toBe(8)
  })

  it('stays when a log gets other keys', async () => {
    const { witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 6))
    const next = new WitnessedTestLog(12, { forkAt: 4, key: 9 })
    witness.putLog(log.origin, next.vkeys)
    expect(witness.addCheckpoint(log.ask(6, 8)).status).toBe(403)
    expect(witness.addCheckpoint(next.ask(6, 8)).status).toBe(422)
    expect(witness.addCheckpoint(new WitnessedTestLog(12, { key: 9 }).ask(6, 8)).status).toBe(200)
  })

  it('is not known any more when it is gone, so that nothing is cosigned from the beginning again', async () => {
    const { directory, witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 3))
    rmSync(join(directory, 'logs'), { recursive: true })
    expect(witness.addCheckpoint(log.ask(0, 3)).status).toBe(404)
    expect(witness.addCheckpoint(log.ask(3, 6)).status).toBe(404)
    expect(() => witness.putLog(log.origin, log.vkeys)).toThrow('cannot be written')
  })

  it('is written once more after a write whose outcome is unknown, before it is believed', async () => {
    const { directory, witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 3))
    // The name of the file beside it is taken by something that cannot be written.
    const beside = `${fileOf(directory)}.new`
    rmSync(beside, { force: true })
    mkdirSync(beside)
    expect(() => witness.addCheckpoint(log.ask(3, 6))).toThrow('cannot be written')
    // Not even what is there already is answered for, until it can be made durable.
    expect(() => witness.addCheckpoint(log.ask(3, 3))).toThrow('cannot be written')
    expect(() => witness.readCheckpoint(witnessedLogId(log.origin))).toThrow('cannot be written')
    rmSync(beside, { recursive: true })
    expect(witness.addCheckpoint(log.ask(3, 6)).status).toBe(200)
  })

  it('is refused when it is not what was written', async () => {
    const { directory, witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 3))
    const good = readFileSync(fileOf(directory), 'utf8')
    for (const bad of [
      '',
      '{}',
      good.replace('"size":3', '"size":2.5'),
      ` ${good}`,
      good.slice(1),
    ]) {
      writeFileSync(fileOf(directory), bad)
      expect(() => witness.addCheckpoint(log.ask(3, 6))).toThrow(
        expect.objectContaining({ code: 'STORE_CORRUPT' }) as Error,
      )
    }
    writeFileSync(
      fileOf(directory),
      good.replace('"origin":"log.example/a"', '"origin":"log.example/b"'),
    )
    expect(() => witness.addCheckpoint(log.ask(3, 6))).toThrow('another')
  })

  it('belongs to one process', async () => {
    const { directory } = await foundKnowing()
    await expect(openWitness(directory, Date.now)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(createWitness(directory, 'x')).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    // Looking is free.
    expect(peekWitness(directory)).toMatchObject({ name: 'w.example', logs: { length: 1 } })
  })

  it('is not written over by somebody who looks', async () => {
    const { directory, witness } = await foundKnowing()
    witness.addCheckpoint(log.ask(0, 3))
    const { ino } = statSync(fileOf(directory))
    peekWitness(directory)
    expect(statSync(fileOf(directory)).ino).toBe(ino)
  })
})

describe('the logs of a witness', () => {
  it.each([
    ['no key', []],
    ['the same key twice', [log.vkeys[0] ?? '', log.vkeys[0] ?? '']],
    ['a text that is none', ['log.example/a+00000000+AAAA']],
  ])('are refused with %s', async (_, vkeys) => {
    const { witness } = await found()
    expect(() => witness.putLog(log.origin, vkeys)).toThrow(
      expect.objectContaining({ code: 'INPUT_INVALID' }) as Error,
    )
    expect(witness.logs()).toEqual([])
  })

  it('are refused with a key that only cosigns, or an origin of two lines', async () => {
    const { witness } = await found()
    const [own] = witness.vkeys
    if (own === undefined) throw new Error('No key')
    expect(() => witness.putLog(log.origin, [formatVkey(own)])).toThrow('only cosigns')
    expect(() => witness.putLog('a\nb', log.vkeys)).toThrow('one line')
    expect(() => witness.putLog('', log.vkeys)).toThrow('one line')
  })
})

describe('the keys of a witness', () => {
  it('lie in a file of mode 0600, and are made once', async () => {
    const { directory, witness } = await found()
    const file = join(directory, 'witness.key')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    witness.close()
    await expect(createWitness(directory, 'w.example')).rejects.toMatchObject({
      code: 'INPUT_EXISTS',
    })
    chmodSync(file, 0o644)
    await expect(openWitness(directory, Date.now)).rejects.toThrow('0644')
    chmodSync(file, 0o600)
    writeFileSync(file, 'w.example\nAAAA\n')
    await expect(openWitness(directory, Date.now)).rejects.toThrow('Not a witness key')
  })

  it('have a name that may stand in a note, of at most 150 bytes', async () => {
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'n'.repeat(151)]) {
      const directory = temporaryDirectory()
      await expect(createWitness(directory, name)).rejects.toMatchObject({ code: 'INPUT_INVALID' })
      expect(existsSync(join(directory, 'witness.key'))).toBe(false)
    }
    const directory = temporaryDirectory()
    await createWitness(directory, 'n'.repeat(150))
    const witness = await openWitness(directory, Date.now)
    expect(witness.name).toHaveLength(150)
    witness.close()
  })

  it('are missing where there is no witness', async () => {
    await expect(openWitness(temporaryDirectory(), Date.now)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})

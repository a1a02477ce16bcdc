import { cpSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PinDirectory } from '../../../src/log/pin-directory.ts'
import type { Pin } from '../../../src/log/pin.ts'
import { publishLog, type Published } from '../../../src/log/publish.ts'
import { PublishDirectory } from '../../../src/log/publish-directory.ts'
import { publishFrom } from '../../../src/publish-log.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { foundInstallation, grow, quiet, type Installation } from '../../support/installation.ts'

const request = {
  progress: quiet,
  signal: new AbortController().signal,
  tenant: 'default',
  to: 'www',
}

const publish = ({ home, settings }: Installation): Promise<Published> =>
  publishFrom(settings, home, request)

describe('publishing', () => {
  it('refuses a database that is behind its pin, also into an empty place', async () => {
    const installation = await foundInstallation()
    const { home, settings } = installation
    cpSync(settings.data, join(home, 'old'), { recursive: true })
    await grow(installation, 1)
    rmSync(settings.data, { recursive: true })
    renameSync(join(home, 'old'), settings.data)
    await expect(publish(installation)).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await expect(publish(installation)).rejects.toThrow('behind its pin')
    expect(await new PublishDirectory(join(home, 'www')).read('checkpoint')).toBeUndefined()
  })

  it('goes without the pin where that is not at hand', async () => {
    const installation = await foundInstallation()
    rmSync(installation.settings.keys, { recursive: true })
    expect(await publish(installation)).toMatchObject({ size: 6 })
  })

  it('waits for the pin of a commit, and tells nobody of one that was never pinned', async () => {
    const installation = await foundInstallation()
    const { home, instance, settings } = installation
    const old = await new PinDirectory(join(settings.keys, instance)).read('default')
    await grow(installation, 1)
    const now = await new PinDirectory(join(settings.keys, instance)).read('default')
    const store = await openSqliteStore({ mode: 'read', path: settings.data })
    const publishing = (readPin: () => Promise<Pin | undefined>, signal: AbortSignal) =>
      publishLog({
        ...request,
        readPin,
        signal,
        store,
        target: new PublishDirectory(join(home, 'www')),
      })
    const { signal } = new AbortController()
    const never = new AbortController()
    const waiting = publishing(() => Promise.resolve(old), never.signal)
    let asked = 0
    const late = (): Promise<Pin | undefined> => Promise.resolve(asked++ < 3 ? old : now)
    expect(await publishing(late, signal)).toMatchObject({ size: 7 })
    expect(asked).toBe(4)
    never.abort()
    await expect(waiting).rejects.toThrow('aborted')
    await store.close()
  })
})

import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { childEnvironment } from '../../../src/kek/child-environment.ts'

describe('the environment of a child', () => {
  const parent = {
    PATH: process.env['PATH'],
    HOME: '/home/x',
    COUNTERSIGN_KEK: 'secret',
    COUNTERSIGN_KEK_FILE: '/x',
    AEGIS_HSM_PIN: '1234',
    AWS_SECRET_ACCESS_KEY: 'secret',
    NODE_OPTIONS: '--inspect',
    LD_PRELOAD: '/x.so',
    DATABASE_URL: 'postgres://user:secret@host',
    SOFTHSM2_CONF: '/etc/softhsm2.conf',
    TZ: undefined,
  }

  it('holds what is on the list, and nothing else', () => {
    expect(childEnvironment(parent)).toEqual({ PATH: parent.PATH, HOME: '/home/x' })
  })

  it('holds what the child is known to need', () => {
    const child = childEnvironment(parent, ['SOFTHSM2_CONF', 'ABSENT'])
    expect(Object.keys(child).sort()).toEqual(['HOME', 'PATH', 'SOFTHSM2_CONF'])
  })

  it.each([
    'COUNTERSIGN_KEK',
    'COUNTERSIGN_KEK_FILE',
    'AEGIS_HSM_PIN',
    'AWS_SECRET_ACCESS_KEY',
    'MODULE_PIN',
    'db_password',
    'GITHUB_TOKEN',
  ])('never holds %s, not even when it is asked for', (name) => {
    expect(() => childEnvironment(parent, [name])).toThrow('must not reach a child')
  })

  it('is all that a real child sees', () => {
    const code = 'console.log(Object.keys(process.env).sort().join())'
    const seen = execFileSync(process.execPath, ['-e', code], {
      env: childEnvironment(parent),
      encoding: 'utf8',
    })
    expect(seen).toBe('HOME,PATH\n')
  })
})

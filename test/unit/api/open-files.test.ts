import { expect, it } from 'vitest'
import { affordableConnections } from '../../../src/api/open-files.ts'

const limitsOf = (files: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     
Max processes             95                   95                   processes 
Max open files            ${files.padEnd(21)}1048576              files     
Max locked memory         65536                65536                bytes     
`

it.each([
  [1024, '4096', 1024],
  [1024, '1152', 1024],
  [1024, '1151', 1023],
  [1024, '144', 16],
  [1024, '143', 16],
  [8, '64', 8],
  [1024, 'unlimited', 1024],
])('of %i connections, %s open files afford %i', (wanted, files, afforded) => {
  expect(affordableConnections(wanted, limitsOf(files))).toBe(afforded)
})

it('as many as are wanted are afforded where the system does not say', () => {
  expect(affordableConnections(100_000, '')).toBe(100_000)
})

it('this process affords some', () => {
  expect(affordableConnections(100)).toBeGreaterThanOrEqual(16)
})

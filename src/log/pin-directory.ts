import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { holdDirectory } from '../store/sqlite-lock.ts'
import type { PinPlace } from './pin-place.ts'
import { PinFile, type Pin } from './pin.ts'

const ending = '.pin'

/** Pins as files of one directory. */
export class PinDirectory implements PinPlace {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  open(tenant: string): PinFile {
    return new PinFile(this.#file(tenant))
  }

  async read(tenant: string): Promise<Pin | undefined> {
    if (!existsSync(this.#file(tenant))) return undefined
    const file = new PinFile(this.#file(tenant), 'r')
    try {
      return await file.read()
    } finally {
      await file.close()
    }
  }

  list(): Promise<readonly string[]> {
    const names = existsSync(this.#path) ? readdirSync(this.#path) : []
    const pins = names.filter((name) => name.endsWith(ending))
    return Promise.resolve(pins.map((name) => name.slice(0, -ending.length)))
  }

  hold(): Promise<() => void> {
    return holdDirectory(this.#path)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #file(tenant: string): string {
    return join(this.#path, tenant + ending)
  }
}

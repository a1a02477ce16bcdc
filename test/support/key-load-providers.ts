// An installation whose master key three providers open, each of which can be made to fail and tells whether it was asked.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '../../src/base/bytes.ts'
import { localCaller } from '../../src/cli/principal.ts'
import { Secret } from '../../src/crypto/secret.ts'
import type { LocalService } from '../../src/decisions/local-service.ts'
import { initHsmKey } from '../../src/kek/hsm.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import type { KeyOrder, KeyOrderDone } from '../../src/wire/keys.ts'
import { KmsDouble } from './kms-double.ts'
import { buildProxy, type Proxy } from './pkcs11-proxy.ts'
import { makeToken, testPin, type TestToken } from './softhsm.ts'

/** What a start is told besides where it finds things. */
export type Told = Partial<ServiceSettings> & Pick<ServiceSettings, 'kek'>

/** KMS, HSM and KEK file, as the environment would describe them. */
export class Providers {
  readonly kms: KmsDouble
  readonly hsm: Proxy
  readonly kmsKey: string
  readonly home = mkdtempSync(join(tmpdir(), 'countersign-rollback-'))
  readonly #token: TestToken

  private constructor(kms: KmsDouble, token: TestToken) {
    this.kms = kms
    this.kmsKey = kms.createKey()
    this.#token = token
    this.hsm = buildProxy(this.home)
    createKekFile(this.kekFile)
  }

  /** Starts them, and tells this process where KMS is. */
  static async prepare(): Promise<Providers> {
    const [kms, token] = [await KmsDouble.start(), makeToken()]
    await initHsmKey(token.place(), new Secret(utf8(testPin)))
    Object.assign(process.env, kms.environment)
    return new Providers(kms, token)
  }

  get kekFile(): string {
    return join(this.home, 'kek')
  }

  get forKms(): Partial<ServiceSettings> {
    return { kmsKeyId: this.kmsKey }
  }

  /** The PIN is wiped by whoever takes it, so it is made anew each time. */
  get forHsm(): Partial<ServiceSettings> {
    const { keyLabel, tokenLabel } = this.#token.place()
    return {
      hsmKeyLabel: keyLabel,
      hsmModule: this.hsm.module,
      hsmPinValue: utf8(testPin),
      hsmTokenLabel: tokenLabel,
    }
  }

  get forEnvironment(): Partial<ServiceSettings> {
    return { kekFile: this.kekFile }
  }

  /** A directory of its own in which installations are kept. */
  directory(name: string): Installed {
    return new Installed(join(this.home, name))
  }

  async close(): Promise<void> {
    await this.kms.stop()
    this.#token.remove()
    rmSync(this.home, { force: true, recursive: true })
  }
}

/** One data directory and what lies outside it. */
export class Installed {
  readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  get data(): string {
    return join(this.directory, 'data')
  }

  get keys(): string {
    return join(this.directory, 'keys')
  }

  settings(told: Told): ServiceSettings {
    return {
      data: this.data,
      dev: false,
      kekFile: undefined,
      kekValue: undefined,
      keys: this.keys,
      kmsKeyId: undefined,
      masterPublic: undefined,
      version: '0.0.0-test',
      ...told,
    }
  }

  async found(told: Told): Promise<void> {
    const founding = { origin: 'log.example', profile: 'checkpoint', public: false } as const
    const { service } = await foundService(this.settings(told), founding, () => undefined)
    await service.close()
  }

  /** Opens the service for as long as the work takes. */
  async opened<T>(told: Told, work: (service: LocalService) => Promise<T>): Promise<T> {
    const service = await openLocalService(this.settings(told), () => undefined)
    try {
      return await work(service)
    } finally {
      await service.close()
    }
  }

  start(told: Told): Promise<void> {
    return this.opened(told, () => Promise.resolve())
  }

  order(told: Told, order: KeyOrder): Promise<KeyOrderDone> {
    return this.opened(told, (service) => service.orderKeys('default', order, localCaller()))
  }

  /** A copy of all of it. */
  copyTo(directory: string): Installed {
    cpSync(this.directory, directory, { recursive: true })
    return new Installed(directory)
  }
}

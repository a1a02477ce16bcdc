// An installation that runs by processes alone, with all three durable providers described: a KEK file, SoftHSM, and a double of AWS KMS in the process
// of the test.
import { execFileSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Reading } from '../../src/decisions/reading.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { parseTrustRoot, updateTrustRoot, verifyDossier } from '../../src/verify/index.ts'
import type { KeyOrderDone } from '../../src/wire/keys.ts'
import { firstLineOf, outcomeOf, runCountersign, startCountersign, type Ran } from './cli.ts'
import type { Acknowledged } from './key-load.ts'
import { KmsDouble } from './kms-double.ts'
import { needSoftHsm } from './softhsm.ts'

const project = resolve(import.meta.dirname, '../..')

/** Makes a token with a key, and gives the variables that name them. */
function prepareHsm(directory: string): Record<string, string> {
  needSoftHsm()
  const printed = execFileSync('sh', [join(project, 'softhsm/init.sh'), directory], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exported = printed.matchAll(/^export (\w+)='(.*)'$/gm)
  return Object.fromEntries([...exported].map(([, name = '', value = '']) => [name, value]))
}

/** A server as a process. */
export interface Served {
  readonly url: string
  readonly child: ChildProcess
  /** Lets it end and gives what it left behind. */
  stop(): Promise<Ran>
}

/** A directory for commands, and what they are told about key providers. */
export class Installation {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly kms: KmsDouble
  readonly #children = new Set<ChildProcess>()

  private constructor(cwd: string, env: Readonly<Record<string, string>>, kms: KmsDouble) {
    this.cwd = cwd
    this.env = env
    this.kms = kms
  }

  /** Describes all three providers; nothing is founded yet. */
  static async prepare(): Promise<Installation> {
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-load-'))
    const hsm = prepareHsm(join(cwd, 'hsm'))
    const kekFile = join(cwd, 'kek')
    createKekFile(kekFile)
    const kms = await KmsDouble.start()
    const env = {
      ...hsm,
      ...kms.environment,
      COUNTERSIGN_KEK_FILE: kekFile,
      COUNTERSIGN_KMS_KEY_ID: kms.createKey(),
    }
    return new Installation(cwd, env, kms)
  }

  get data(): string {
    return join(this.cwd, 'countersign-data')
  }

  run(...args: readonly string[]): Promise<Ran> {
    return runCountersign(args, { cwd: this.cwd, env: this.env })
  }

  /** What a command printed. @throws when it did not end well */
  async succeed(...args: readonly string[]): Promise<string> {
    const { code, stderr, stdout } = await this.run(...args)
    if (code !== 0) throw new Error(`countersign ${args.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }

  /** Gives an order about keys, and what became of it for each tenant. */
  async order(...args: readonly string[]): Promise<readonly KeyOrderDone[]> {
    const printed = await this.succeed('keys', ...args, '--json')
    const lines = printed.trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line) as KeyOrderDone)
  }

  /** The providers that have a slot, as the data directory tells it. */
  async slots(tenant: string): Promise<readonly string[]> {
    return this.reading(async (reading) =>
      (await reading.listSlots(tenant)).map(({ provider }) => provider),
    )
  }

  /** A token of a new API key that may submit decisions. */
  async token(tenant: string): Promise<string> {
    const args = ['--tenant', tenant, '--owner', 'load', '--scope', 'decisions:submit']
    return (await this.succeed('apikey', 'create', ...args)).trim()
  }

  async serve(kek: string, env = this.env): Promise<Served> {
    const args = ['serve', '--kek', kek, '--port', '0']
    const child = startCountersign(args, { cwd: this.cwd, env })
    this.#children.add(child)
    const outcome = outcomeOf(child)
    const url = await firstLineOf(child)
    return {
      child,
      url,
      stop: () => {
        child.kill('SIGTERM')
        return outcome
      },
    }
  }

  /** The newest trust root, its version, and what is wrong on the way to it from the first. */
  async followTrustRoots(
    tenant: string,
  ): Promise<{ newest: Uint8Array; version: number; wrong: string[] }> {
    return this.reading(async (reading) => {
      const newest = await reading.readTrustRoot(tenant)
      const parsed = parseTrustRoot(newest)
      if (typeof parsed === 'string') throw new Error(parsed)
      const wrong: string[] = []
      let held = await reading.readTrustRoot(tenant, 1)
      for (let version = 2; version <= parsed.version; version++) {
        const next = await reading.readTrustRoot(tenant, version)
        const update = updateTrustRoot(held, next, [
          await reading.exportTrustProof(tenant, version),
        ])
        if (!update.ok) wrong.push(`${version}: ${JSON.stringify(update.checks)}`)
        held = next
      }
      return { newest, version: parsed.version, wrong }
    })
  }

  /** Verifies the dossier of every decision under a trust root, and gives those that are not valid. */
  async verifyAll(decisions: readonly Acknowledged[], trustRoot: Uint8Array): Promise<string[]> {
    return this.reading(async (reading) => {
      const wrong: string[] = []
      for (const { id, tenant } of decisions) {
        const dossier = await reading.exportDossier(tenant, id)
        const { verdict } = verifyDossier(dossier, trustRoot)
        if (verdict !== 'valid') wrong.push(`${id}: ${verdict}`)
      }
      return wrong
    })
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    await this.kms.stop()
    rmSync(this.cwd, { force: true, recursive: true })
  }

  /** Reads the data directory beside whoever writes to it. */
  async reading<T>(work: (reading: Reading) => Promise<T>): Promise<T> {
    const store = await openSqliteStore({ mode: 'read', path: this.data })
    try {
      return await work(new Reading(() => store))
    } finally {
      await store.close()
    }
  }
}

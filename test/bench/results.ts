// The product measured: over HTTP as `serve` answers, in process as a library would use it, and a dossier verified offline.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import { createComposition } from '../../src/compose.ts'
import type { Service } from '../../src/decisions/service.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import { notarisedSchema } from '../../src/wire/decision.ts'
import { loadTasks, median, type Load, type Span } from './figures.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import { intentText, requestText } from './sample.ts'
import {
  copyInstallation,
  startServer,
  type Installation,
  type Profile,
  type Server,
} from './server.ts'
import type { Listening } from './skeleton.ts'

/** Requests at once. */
export const connections = 64

/** Bytes of what travels and of what is kept. */
export interface Sizes {
  readonly request: number
  readonly answer: number
  readonly statement: number
  readonly dossier: number
}

/** Asks the load generator, which is a process of its own. */
export class Generator {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'load.ts'))

  async load(order: LoadOrder): Promise<Load> {
    this.#child.send(order)
    const [report] = (await once(this.#child, 'message')) as [LoadReport]
    if ('error' in report) throw new Error(report.error)
    return report.load
  }

  close(): void {
    this.#child.disconnect()
  }
}

/** The threads of the service with nothing in them, a process of its own. */
class Skeleton {
  readonly #child: ChildProcess
  readonly port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async start(file: string): Promise<Skeleton> {
    const child = fork(join(import.meta.dirname, 'skeleton.ts'), [file])
    const [{ port }] = (await once(child, 'message')) as [Listening]
    return new Skeleton(child, port)
  }

  close(): void {
    this.#child.disconnect()
  }
}

/** Everything that is measured, started and ready. */
export class Subjects {
  readonly #generator = new Generator()
  readonly #tokens: Readonly<Record<Profile, string>>
  readonly #server: Server
  readonly #service: Service
  readonly #skeleton: Skeleton

  private constructor(
    tokens: Readonly<Record<Profile, string>>,
    server: Server,
    service: Service,
    skeleton: Skeleton,
  ) {
    this.#tokens = tokens
    this.#server = server
    this.#service = service
    this.#skeleton = skeleton
  }

  /** Copies an installation twice below a directory: one copy is served, one is opened here. `nodeFlags` are for the server. */
  static async start(
    directory: string,
    installed: Installation,
    nodeFlags: readonly string[],
  ): Promise<Subjects> {
    const served = copyInstallation(installed, join(directory, 'served'))
    const opened = copyInstallation(installed, join(directory, 'opened'))
    const composition = createComposition({ cwd: directory, env: {}, version: '0.0.0' })
    return new Subjects(
      served.tokens,
      await startServer(served, join(directory, 'serve.log'), nodeFlags),
      await composition.openService({ data: opened.data, keys: opened.keys }),
      await Skeleton.start(join(directory, 'skeleton.db')),
    )
  }

  /** Decisions over HTTP. */
  http(profile: Profile, span: Span): Promise<Load> {
    return this.#load(this.#server.port, '/v1/decisions', profile, span)
  }

  /** The same intents over HTTP, decided on here. */
  evaluated(profile: Profile, span: Span): Promise<Load> {
    return this.#load(this.#server.port, '/v1/decisions', profile, span, intentText)
  }

  /** The same requests to a server that does nothing with them. */
  async bareHttp(app: RequestListener, span: Span): Promise<Load> {
    const server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('Listener has no port')
    try {
      return await this.#load(address.port, '/', 'checkpoint', span)
    } finally {
      server.close()
    }
  }

  /** The same requests to the threads of the service with nothing in them. */
  skeleton(span: Span): Promise<Load> {
    return this.#load(this.#skeleton.port, '/', 'checkpoint', span)
  }

  #load(
    port: number,
    path: string,
    profile: Profile,
    span: Span,
    body = requestText,
  ): Promise<Load> {
    const token = this.#tokens[profile]
    return this.#generator.load({ body, connections, path, port, token, ...span })
  }

  /** Decisions through the service in this thread. */
  async inProcess(profile: Profile, span: Span): Promise<Load> {
    const principal = await this.#service.authenticate(this.#tokens[profile])
    return loadTasks(() => this.#service.notarise(principal, requestText, null), connections, span)
  }

  /** Median ms of verifying one dossier in this thread, and how large everything is. */
  async verify(
    profile: Profile,
    times: number,
  ): Promise<{ readonly ms: number; readonly sizes: Sizes }> {
    const principal = await this.#service.authenticate(this.#tokens[profile])
    const answer = await this.#service.notarise(principal, requestText, null)
    const { envelope, id } = notarisedSchema.parse(JSON.parse(answer))
    const dossier = await this.#service.exportDossier(profile, id)
    const trustRoot = await this.#service.readTrustRoot(profile)
    const took = Array.from({ length: times }, () => {
      const began = performance.now()
      const { ok, checks } = verifyDossier(dossier, trustRoot)
      if (!ok) throw new Error(`Dossier is not valid: ${JSON.stringify(checks)}`)
      return performance.now() - began
    })
    const sizes = {
      request: Buffer.byteLength(requestText),
      answer: answer.length,
      statement: Buffer.byteLength(envelope?.payload ?? '', 'base64'),
      dossier: dossier.length,
    }
    return { ms: median(took), sizes }
  }

  async close(): Promise<void> {
    this.#generator.close()
    this.#skeleton.close()
    await this.#service.close()
    await this.#server.close()
  }
}

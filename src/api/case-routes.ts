// What overrides, actions and proposals have in common: somebody opens one, others act on it, everybody reads how it stands.
import type { z } from 'zod'
import type { FailureCode } from '../base/failure.ts'
import type { Principal } from '../decisions/service.ts'
import type { Scope } from '../wire/decision.ts'
import { overrideReasonSchema, overrideSigningSchema, type OverrideAct } from '../wire/overrides.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Content, type Description, type Route } from './route.ts'
import { TenantLines } from './tenant-lines.ts'

const json = 'application/json'
const defaultPage = 50

/** A JSON body. */
interface Said<T> {
  readonly description: string
  readonly schema: z.ZodType<T>
}

/** How a kind of case is spoken of. */
export interface CaseWords {
  /** Path of all of them. */
  readonly path: string
  /** What every reply but a page is. */
  readonly told: Content
  /** What anything that is done to one may meet. */
  readonly failures: readonly FailureCode[]
  /** Its id in the path. @throws INPUT_NOT_FOUND when it can be nobody's */
  readonly idOf: (call: Call) => string
}

/** The routes of one kind of case. */
export class CaseRoutes {
  readonly #words: CaseWords
  readonly #admit: Admission
  readonly #maxBytes: number
  /** To read a case is to check every step of it. */
  readonly #lines = new TenantLines()

  constructor(words: CaseWords, admit: Admission, maxBytes: number) {
    this.#words = words
    this.#admit = admit
    this.#maxBytes = maxBytes
  }

  /** `POST` to open one. */
  open<T>(
    scope: Scope,
    summary: string,
    body: Said<T>,
    failures: readonly FailureCode[],
    open: (principal: Principal, opening: T) => Promise<unknown>,
  ): Route {
    const { path, told } = this.#words
    return route(
      this.#admit.scope(scope),
      {
        method: 'POST',
        path,
        summary,
        writes: true,
        body: { type: json, ...body },
        replies: { 201: told },
        failures: [...this.#words.failures, ...failures],
      },
      async (call, principal) =>
        jsonReply(201, await open(principal, await call.json(body.schema, this.#maxBytes))),
    )
  }

  /** `GET` for a page of them. */
  list<T extends object>(
    summary: string,
    query: z.ZodObject & z.ZodType<T>,
    page: z.ZodType,
    list: (tenant: string, query: T & { readonly limit: number }) => Promise<unknown>,
  ): Route {
    return route(
      this.#admit.scope('decisions:read'),
      {
        method: 'GET',
        path: this.#words.path,
        summary,
        query,
        replies: { 200: { description: 'A page', type: json, schema: page } },
      },
      async (call, { tenant }) => {
        const asked = { limit: defaultPage, ...call.query<T>(query) }
        return jsonReply(200, await this.#lines.run(call, tenant, () => list(tenant, asked)))
      },
    )
  }

  /** `GET` for how it stands with one. */
  read(
    summary: string,
    read: (tenant: string, id: string) => Promise<unknown>,
    failures: readonly FailureCode[] = [],
  ): Route {
    const { idOf, path, told } = this.#words
    return route(
      this.#admit.scope('decisions:read'),
      { method: 'GET', path: `${path}/{id}`, summary, replies: { 200: told }, failures },
      async (call, { tenant }) => {
        const id = idOf(call)
        return jsonReply(200, await this.#lines.run(call, tenant, () => read(tenant, id)))
      },
    )
  }

  /** `GET` for a file that tells of one. */
  file(
    name: string,
    summary: string,
    content: Content,
    read: (tenant: string, id: string) => Promise<Uint8Array>,
  ): Route {
    const { idOf, path } = this.#words
    return route(
      this.#admit.scope('decisions:read'),
      { method: 'GET', path: `${path}/{id}/${name}`, summary, replies: { 200: content } },
      async (call, { tenant }) => {
        const id = idOf(call)
        const body = await this.#lines.run(call, tenant, () => read(tenant, id))
        return { body, status: 200, type: content.type }
      },
    )
  }

  /** `POST` to do one thing to one, with a body of its own. */
  act<T>(
    scope: Scope,
    name: string,
    summary: string,
    body: Said<T>,
    act: (principal: Principal, id: string, said: T) => Promise<unknown>,
  ): Route {
    return this.#act(scope, name, { summary, body: { type: json, ...body } }, async (call, doer) =>
      act(doer, this.#words.idOf(call), await call.json(body.schema, this.#maxBytes)),
    )
  }

  /** As {@link act}, where nothing has to be said. */
  plainAct(
    scope: Scope,
    name: string,
    summary: string,
    act: (principal: Principal, id: string) => Promise<unknown>,
    failures: readonly FailureCode[] = [],
  ): Route {
    return this.#act(scope, name, { summary, failures }, (call, doer) =>
      act(doer, this.#words.idOf(call)),
    )
  }

  #act(
    scope: Scope,
    name: string,
    description: Pick<Description, 'body' | 'failures' | 'summary'>,
    act: (call: Call, principal: Principal) => Promise<unknown>,
  ): Route {
    const { failures, path, told } = this.#words
    return route(
      this.#admit.scope(scope),
      {
        method: 'POST',
        path: `${path}/{id}/${name}`,
        writes: true,
        replies: { 200: told },
        ...description,
        failures: [...failures, ...(description.failures ?? [])],
      },
      async (call, principal) => jsonReply(200, await act(call, principal)),
    )
  }

  /** What leads and whoever asked them do: sign, reject, revoke, execute. */
  leadActs(
    scopes: { readonly asking: Scope; readonly signing: Scope },
    summaries: Readonly<Record<OverrideAct['act'], string>>,
    act: (principal: Principal, id: string, act: OverrideAct) => Promise<unknown>,
    whenExecuted: readonly FailureCode[] = [],
  ): readonly Route[] {
    const { asking, signing } = scopes
    const why = { description: 'Why', schema: overrideReasonSchema }
    const signature = { description: 'The signature', schema: overrideSigningSchema }
    return [
      this.act(signing, 'sign', summaries.sign, signature, (doer, id, said) =>
        act(doer, id, { act: 'sign', signing: said }),
      ),
      this.act(signing, 'reject', summaries.reject, why, (doer, id, said) =>
        act(doer, id, { act: 'reject', ...said }),
      ),
      this.act(asking, 'revoke', summaries.revoke, why, (doer, id, said) =>
        act(doer, id, { act: 'revoke', ...said }),
      ),
      this.plainAct(
        asking,
        'execute',
        summaries.execute,
        (doer, id) => act(doer, id, { act: 'execute' }),
        whenExecuted,
      ),
    ]
  }
}

// What a route is: how it is described, who is admitted, and what it answers. Handlers know neither the framework nor the socket.
import type { z } from 'zod'
import type { Failure, FailureCode } from '../base/failure.ts'
import type { Scope } from '../wire/decision.ts'
import type { Call } from './call.ts'

/** An answer before it is bytes on a socket. */
export interface Reply {
  readonly status: number
  readonly body: string | Uint8Array
  /** Media type. */
  readonly type: string
  /** `Cache-Control`; `no-store` when absent. */
  readonly cache?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Why it is a problem, for the log. */
  readonly failure?: Failure
}

/** Who is admitted to a route. */
export interface Access<P> {
  /** Whether an API key is asked for. */
  readonly key: 'never' | 'always' | 'unlessPublic'
  /** The scope it must have. */
  readonly scope?: Scope
  /** @throws AUTH_MISSING, AUTH_INVALID, AUTH_SCOPE, INPUT_NOT_FOUND */
  readonly admit: (call: Call) => P | Promise<P>
}

/** A body as it is described. */
export interface Content {
  readonly description: string
  readonly type: string
  /** A schema with an id; what has none is bytes, or a file whose format is defined elsewhere. */
  readonly schema?: z.ZodType
}

/** What is told of a route. */
export interface Description {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'ALL'
  /** As OpenAPI writes it; a last `{path}` takes the rest. */
  readonly path: string
  readonly summary: string
  /** Whether something may have happened when no answer came in time. */
  readonly writes?: boolean
  readonly idempotencyKey?: boolean
  /** How long it may keep the caller waiting on purpose, in ms. */
  readonly holdMs?: number
  readonly query?: z.ZodObject
  readonly body?: Content & { readonly optional?: boolean }
  readonly replies?: Readonly<Record<number, Content>>
  /** Beyond what follows from access, body and parameters. */
  readonly failures?: readonly FailureCode[]
}

/** A route that answers. */
export interface Route extends Description {
  readonly access?: Pick<Access<unknown>, 'key' | 'scope'>
  readonly answer: (call: Call) => Promise<Reply>
}

/** Composes a route: admission first, so that a stranger costs neither memory nor parsing, then the query, then the handler. */
export const route = <P>(
  access: Access<P>,
  description: Description,
  handle: (call: Call, admitted: P) => Promise<Reply>,
): Route => ({
  ...description,
  access,
  answer: async (call) => {
    const admitted = await access.admit(call)
    if (description.query === undefined && access.key === 'always') call.refuseQuery()
    return handle(call, admitted)
  },
})

/** A JSON answer. */
export const jsonReply = (status: number, value: unknown): Reply => ({
  status,
  body: JSON.stringify(value),
  type: 'application/json',
})

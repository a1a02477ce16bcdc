// Bearer API keys (RFC 6750). The service says whose a token is; its yes is remembered for a few seconds under the token's hash, never the token,
// and its no is not remembered at all. A key revoked behind the back of this edge is refused at the latest when the memory of it is stale.
import { hash } from 'node:crypto'
import { Failure } from '../base/failure.ts'
import type { Principal, Service } from '../decisions/service.ts'

const rememberMs = 10_000
const maxRemembered = 1024
const scheme = /^bearer(?: |$)/i
const bearer = /^bearer +([A-Za-z0-9._~+/-]{1,512}=*) *$/i

interface Remembered {
  readonly principal: Principal
  readonly at: number
}

/** The token of an `Authorization` header. @throws {@link Failure} AUTH_MISSING, AUTH_INVALID */
function parseAuthorization(header: string | undefined): string {
  if (header === undefined || !scheme.test(header))
    throw new Failure('AUTH_MISSING', 'Header Authorization must hold Bearer and an API key')
  const token = bearer.exec(header)?.[1]
  if (token === undefined) throw new Failure('AUTH_INVALID', 'API key is not well-formed')
  return token
}

/** Tells whose an `Authorization` header is. */
export class Authenticator {
  readonly #service: Pick<Service, 'authenticate'>
  readonly #clock: () => number
  readonly #remembered = new Map<string, Remembered>()
  #generation = 0

  constructor(service: Pick<Service, 'authenticate'>, clock: () => number) {
    this.#service = service
    this.#clock = clock
  }

  /** @throws {@link Failure} AUTH_MISSING, AUTH_INVALID */
  async authenticate(header: string | undefined): Promise<Principal> {
    const token = parseAuthorization(header)
    const name = hash('sha256', token, 'base64')
    const known = this.#remembered.get(name)
    if (known !== undefined && this.#isFresh(known)) return known.principal
    const generation = this.#generation
    const at = this.#clock()
    const principal = await this.#service.authenticate(token)
    // An answer from before a revocation must not outlive it.
    if (generation === this.#generation) this.#remember(name, { principal, at })
    return principal
  }

  /** Asks again about every token: for after an API key was made or revoked. */
  forget(): void {
    this.#generation++
    this.#remembered.clear()
  }

  /** A clock that went backwards makes everything stale. */
  #isFresh({ at }: Remembered): boolean {
    const age = this.#clock() - at
    return age >= 0 && age < rememberMs
  }

  #remember(name: string, remembered: Remembered): void {
    this.#remembered.delete(name)
    const [oldest] = this.#remembered.keys()
    if (oldest !== undefined && this.#remembered.size >= maxRemembered)
      this.#remembered.delete(oldest)
    this.#remembered.set(name, remembered)
  }
}

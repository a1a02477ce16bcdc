// Notarising a decision, one that was submitted or one that is made here: one request, one entry, whatever is sent twice. The request was validated at
// the edge; here it becomes a statement, is signed and gets its place.
import { CanonicalText, canonicalize } from '../base/canonical-json.ts'
import { encodeHex, equalBytes, utf8 } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { equalConstantTime, hmacSha256, randomNonce, sha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import { isCaller, type DecisionMatter } from '../dossier/matters.ts'
import { isFinished, type DecisionRequest, type EvaluationRequest } from '../wire/decision.ts'
import type { IdempotencyRecord } from '../store/store.ts'
import { enter, type Room } from './room.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { openingOf } from './escalation-opening.ts'
import {
  canonicalIntent,
  evaluateRequest,
  isMadeUnder,
  staleSince,
  type MadeDecision,
} from './evaluate.ts'
import { formatReply } from './reply.ts'
import { proveStart } from './prove.ts'
import type { Principal } from './service.ts'
import {
  canonicalMatter,
  canonicalSaid,
  membersIn,
  submissionOf,
  type EvaluatedSubmission,
  type Members,
  type Submission,
} from './submission.ts'

/** How often a decision is made anew because policies change under it. */
const mostAttempts = 8

/** Told of every decision that is held for a reviewer, by the log time up to which it is. */
export type Holding = (deadline: number) => void

/** A decision that was made, and what made it. */
interface Made extends Pick<MadeDecision, 'refuseAt' | 'time'> {
  readonly said: Submission
  readonly source: DecisionMatter['source']
}

interface Pending {
  /** Canonical text of the request that came first. */
  readonly request: string
  readonly done: Promise<string>
}

/** Notarises decisions of one producer version; remembers requests in flight so that twins wait for the first. */
export class Notariser {
  readonly #producer: { readonly name: string; readonly version: string }
  readonly #pending = new Map<string, Pending>()
  readonly #onHeld: Holding

  constructor(version: string, onHeld: Holding = () => undefined) {
    this.#producer = { name: 'countersign', version }
    this.#onHeld = onHeld
  }

  /**
   * The JSON text of a `Notarised`.
   * @throws {@link Failure} INPUT_CONFLICT when the idempotency key stands for another request, INPUT_ERASED when its decision was erased
   */
  notarise(
    room: Room,
    principal: Principal,
    text: string,
    headerKey: string | null,
  ): Promise<string> {
    const { idempotencyKey: bodyKey, ...request } = JSON.parse(text) as
      DecisionRequest | EvaluationRequest
    const key = headerKey ?? bodyKey ?? null
    if (!isFinished(request)) {
      if (request.mode === 'dry_run')
        return Promise.reject(new Failure('INPUT_INVALID', 'A dry run is not notarised'))
      return this.#decide(room, principal, request, key)
    }
    return this.submit(room, principal, submissionOf(request, key))
  }

  /** As {@link notarise}, of a finished decision that was made canonical before. */
  submit(room: Room, principal: Principal, said: Submission): Promise<string> {
    const made: Made = { said, source: 'submitted' }
    const { idempotencyKey } = said
    if (idempotencyKey === null) return this.#enter(room, principal, made, null, null)
    const make = (): Promise<Made> => Promise.resolve(made)
    return this.#once(room, principal, canonicalSaid(said), idempotencyKey, make)
  }

  /**
   * As {@link submit}, of a decision that was made by a copy of the policies.
   * @throws {@link Failure} LOG_CONFLICT when other policies count
   */
  submitEvaluated(
    room: Room,
    principal: Principal,
    { asked, epoch, said, time }: EvaluatedSubmission,
  ): Promise<string> {
    const refuseAt = staleSince(room, epoch)
    const made: Made = { refuseAt, said, source: 'evaluated', time }
    const { idempotencyKey } = said
    if (idempotencyKey === null) return this.#enter(room, principal, made, null, null)
    return this.#once(room, principal, asked, idempotencyKey, () => Promise.resolve(made))
  }

  /**
   * As {@link notarise}, of a decision that is made here: only where its request is the first of its key.
   * @param asked canonical text of the request, which is what the key stands for
   */
  async evaluate(
    room: Room,
    principal: Principal,
    asked: string,
    key: string | null,
    evaluate: () => Promise<MadeDecision>,
  ): Promise<string> {
    const make = async (): Promise<Made> => {
      const { refuseAt, time, ...made } = await evaluate()
      return {
        said: submissionOf(made),
        source: 'evaluated',
        ...(refuseAt === undefined ? {} : { refuseAt }),
        ...(time === undefined ? {} : { time }),
      }
    }
    if (key === null) return this.#enter(room, principal, await make(), null, null)
    return this.#once(room, principal, asked, key, make)
  }

  /** Decides by the policies of the room, again where they have changed before the decision got its place. */
  async #decide(
    room: Room,
    principal: Principal,
    request: Omit<EvaluationRequest, 'idempotencyKey'>,
    key: string | null,
  ): Promise<string> {
    const asked = canonicalIntent(request)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.evaluate(room, principal, asked, key, () =>
          evaluateRequest(room, request, principal.bound),
        )
      } catch (error) {
        const raced = error instanceof Failure && error.code === 'LOG_CONFLICT'
        if (!raced || attempt === mostAttempts) throw error
      }
    }
  }

  async #once(
    room: Room,
    principal: Principal,
    canonical: string,
    key: string,
    make: () => Promise<Made>,
  ): Promise<string> {
    const { owner } = principal.caller
    const name = `${room.tenant.name}\n${owner}\n${key}`
    const twin = this.#pending.get(name)
    if (twin !== undefined) {
      if (twin.request !== canonical) throw conflict(key)
      // The first one's failure is the twin's too: neither was notarised.
      await twin.done
      return this.#replay(room, principal, key, canonical)
    }
    const done = this.#first(room, principal, canonical, key, make)
    this.#pending.set(name, { request: canonical, done })
    try {
      return await done
    } finally {
      this.#pending.delete(name)
    }
  }

  async #first(
    room: Room,
    principal: Principal,
    canonical: string,
    key: string,
    make: () => Promise<Made>,
  ): Promise<string> {
    const { owner } = principal.caller
    const known = await room.store.readIdempotency(room.tenant.name, owner, nameOf(owner, key))
    if (known !== undefined) return this.#replay(room, principal, key, canonical)
    const salt = randomNonce(16)
    return this.#enter(room, principal, await make(), key, {
      owner,
      key: nameOf(owner, key),
      salt,
      fingerprint: fingerprint(salt, canonical),
    })
  }

  async #replay(
    room: Room,
    { bound, caller: { owner } }: Principal,
    key: string,
    canonical: string,
  ): Promise<string> {
    const known = await room.store.readIdempotency(room.tenant.name, owner, nameOf(owner, key))
    if (known === undefined)
      throw new Failure('LOG_CONFLICT', 'First request of this idempotency key was not kept')
    if (known.fingerprint === null)
      throw new Failure(
        'INPUT_ERASED',
        `Decision of this idempotency key was erased: ${known.stream}`,
      )
    if (!equalConstantTime(known.fingerprint, fingerprint(known.salt, canonical)))
      throw conflict(key)
    const decision = await this.#answered(room, known.stream, owner, key)
    if (!isMadeUnder(decision, bound)) throw otherBonds(key)
    const { entry, ...proved } = await proveStart(room.store, room.tenant.name, known.stream)
    await room.log.settled()
    return formatReply(
      {
        decision: {
          ...decision,
          reasons: canonicalize(decision.reasons),
          obligations: canonicalize(decision.obligations),
        },
        payload: entry.payload,
        keyid: entry.keyid,
        signature: entry.signature,
        replayed: true,
      },
      { ...proved, index: entry.index, time: entry.time, leaf: entry.leaf },
    )
  }

  /** The decision that answered a key, read from the log: the database alone could name another. */
  async #answered(room: Room, stream: string, owner: string, key: string): Promise<DecisionMatter> {
    const { log, store, tenant } = room
    const [first] = await readCheckedStream(store, tenant.name, stream, log.head)
    const decision = first === undefined ? undefined : matterOf(first, 'decision')
    if (decision?.idempotencyKey !== key || decision.caller.owner !== owner)
      throw new Failure(
        'STORE_CORRUPT',
        `Idempotency key names a decision that is not its own: ${stream}`,
      )
    return decision
  }

  async #enter(
    room: Room,
    principal: Principal,
    made: Made,
    key: string | null,
    record: Omit<IdempotencyRecord, 'stream'> | null,
  ): Promise<string> {
    const { refuseAt, said, source, time = room.clock() } = made
    const { action, actor, decideWithinSeconds, mode, status } = said
    const members = membersIn(said)
    const id = uuidv7(time, randomNonce(10))
    const { signed, appended } = await enter(room, {
      kind: 'decision',
      stream: id,
      seq: 0,
      prev: null,
      matter: this.#matter(id, time, principal, { members, source }, key),
      isValid: true,
      filter: { status, actor, action },
      effects: record === null ? [] : [{ type: 'idempotency', record: { ...record, stream: id } }],
      ...(refuseAt === undefined ? {} : { refuseAt }),
      ...openingOf(room, { id, mode, status }, decideWithinSeconds, this.#onHeld),
    })
    const { keyid, payload, signature } = signed
    const { obligations, reasons } = members
    const decision = { id, mode, obligations, reasons, source, status }
    return formatReply({ decision, payload, keyid, signature, replayed: false }, appended)
  }

  /** The matter; what its maker has said is canonical text already. */
  #matter(
    id: string,
    time: number,
    { caller }: Principal,
    { members, source }: { members: Members; source: Made['source'] },
    idempotencyKey: string | null,
  ): Readonly<Record<keyof DecisionMatter, unknown>> {
    // Of all that the entry says this alone does not come through the schema of requests.
    invariant(isCaller(caller), 'Caller cannot stand in evidence')
    const text = (name: keyof typeof members) => new CanonicalText(members[name])
    return {
      id,
      time,
      producer: this.#producer,
      caller,
      source,
      idempotencyKey,
      intent: text('intent'),
      status: text('status'),
      reasons: text('reasons'),
      obligations: text('obligations'),
      confidence: text('confidence'),
      policies: text('policies'),
      gates: text('gates'),
      trace: text('trace'),
      overridable: text('overridable'),
      maxUses: text('maxUses'),
      mode: text('mode'),
      links: text('links'),
    }
  }
}

const conflict = (key: string): Failure =>
  new Failure('INPUT_CONFLICT', `Idempotency key stands for another request: ${key}`, {
    field: 'idempotencyKey',
  })

const otherBonds = (key: string): Failure =>
  new Failure(
    'INPUT_CONFLICT',
    `Idempotency key stands for a request by an API key with other bonds: ${key}`,
    { field: 'idempotencyKey' },
  )

/** Whether the memory of an idempotency key is the one of a submitted decision. */
export function isMemoryOf(
  { fingerprint: print, key, owner, salt }: IdempotencyRecord,
  matter: DecisionMatter,
): boolean {
  const { caller, idempotencyKey } = matter
  if (idempotencyKey === null || print === null) return false
  return (
    owner === caller.owner &&
    key === nameOf(owner, idempotencyKey) &&
    equalBytes(print, fingerprint(salt, canonicalMatter(matter)))
  )
}

/** How a key is kept: the text itself is the caller's and must not outlive an erasure. */
export const nameOf = (owner: string, key: string): string =>
  encodeHex(sha256(utf8(`${labels.idempotency}\n${owner}\n${key}`)))

/** What is remembered of a request: enough to know it again, too little to guess it once salt and value are erased. */
const fingerprint = (salt: Uint8Array, canonical: string): Uint8Array =>
  hmacSha256(salt, utf8(`${labels.idempotency}\n${canonical}`))

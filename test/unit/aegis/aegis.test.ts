import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  Approver,
  BIP322Provider,
  createMessageHash,
  createSigningText,
  DualSignatureValidator,
  HybridProvider,
  OverrideWorkflow,
  type ApproverRecord,
  type SignatureProvider,
  type WorkflowOptions,
} from '../../../src/aegis/aegis.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { approverKeyKinds } from '../../../src/crypto/approver-keys.ts'

const start = 1_790_000_000_000
const hourMs = 3_600_000
const providers: readonly SignatureProvider[] = [new BIP322Provider(), new HybridProvider()]

/** Ann and Bob with keys of a provider, and a request of Carl’s. */
function world(provider: SignatureProvider, change: Partial<WorkflowOptions> = {}) {
  const clock = { now: start }
  const keys = { ann: provider.generateKeypair(), bob: provider.generateKeypair() }
  const record = (actorId: 'ann' | 'bob', ...roles: ApproverRecord['roles']): ApproverRecord => ({
    actorId,
    publicKey: keys[actorId].publicKey,
    roles,
  })
  const approvers = [record('ann', 'risk_lead'), record('bob', 'security_lead')]
  const workflow = new OverrideWorkflow({
    approvers,
    clock: () => clock.now,
    failedGates: ['risk', 'profit'],
    justification: 'Customer waits',
    proposalId: 'p-1',
    provider,
    requestedBy: 'carl',
    ...change,
  })
  const sign = (who: 'ann' | 'bob', message = workflow.message) => {
    const [approver] = approvers.filter(({ actorId }) => actorId === who)
    if (approver === undefined) throw new Error('Nobody')
    return new Approver(approver, provider).sign(message, keys[who].privateKey)
  }
  const add = (
    who: 'ann' | 'bob',
    role: 'risk_lead' | 'security_lead',
    { publicKey, signature } = sign(who),
  ) => workflow.addSignature(who, role, signature, publicKey)
  return { add, approvers, clock, keys, sign, workflow }
}

describe('the hash of a message', () => {
  it('is SHA-256 of this text, whatever the order of the gates', () => {
    const fields = { failedGates: ['risk', 'profit'], justification: 'Ü', proposalId: 'p-1' }
    const text = '{"failed_gates":["profit","risk"],"justification":"Ü","proposal_id":"p-1"}'
    const due = createHash('sha256').update(text).digest('hex')
    expect(createMessageHash(fields)).toBe(due)
    expect(createMessageHash({ ...fields, failedGates: ['profit', 'risk'] })).toBe(due)
    expect(new TextDecoder().decode(createSigningText(due))).toBe(`aegis-override/1 ${due}`)
  })

  it('binds who asked and until when, where that is given, both or neither', () => {
    const fields = { failedGates: [], justification: 'x', proposalId: 'p' }
    const bound = createMessageHash({ ...fields, expiresAt: 5, requestedBy: 'carl' })
    const text =
      '{"expires_at":5,"failed_gates":[],"justification":"x","proposal_id":"p","requested_by":"carl"}'
    expect(bound).toBe(createHash('sha256').update(text).digest('hex'))
    expect(() => createMessageHash({ ...fields, expiresAt: 5 })).toThrow('bound together')
    expect(() => createMessageHash({ ...fields, requestedBy: 'c' })).toThrow('bound together')
    expect(() => createMessageHash({ ...fields, failedGates: ['a', 'a'] })).toThrow('twice')
  })
})

describe.each(providers.map((provider) => [provider.algorithmName, provider] as const))(
  'the provider %s',
  (name, provider) => {
    const message = utf8('a message')
    const pair = provider.generateKeypair()
    const signature = provider.sign(message, pair.privateKey)

    it('verifies what it signed, of the lengths that are told', () => {
      const lengths = [pair.publicKey.length, signature.length, pair.privateKey.length]
      expect(lengths).toEqual(name === 'bip322-simple' ? [32, 64, 32] : [1344, 2484, 64])
      expect(provider.verify(message, signature, pair.publicKey)).toBe(true)
    })

    it('refuses another message, key or signature, and whatever is none', () => {
      expect(provider.verify(utf8('a massage'), signature, pair.publicKey)).toBe(false)
      const other = provider.generateKeypair()
      expect(provider.verify(message, signature, other.publicKey)).toBe(false)
      for (const at of [0, 63, signature.length - 1]) {
        const bent = signature.slice()
        bent[at] = (bent[at] ?? 0) ^ 1
        expect(provider.verify(message, bent, pair.publicKey)).toBe(false)
      }
      for (const wrong of [new Uint8Array(0), signature.slice(1), new Uint8Array(signature.length)])
        expect(provider.verify(message, wrong, pair.publicKey)).toBe(false)
      for (const wrong of [
        new Uint8Array(0),
        pair.publicKey.slice(1),
        new Uint8Array(pair.publicKey.length),
      ])
        expect(provider.verify(message, signature, wrong)).toBe(false)
      expect(() => provider.sign(message, new Uint8Array(31))).toThrow('Private key')
    })
  },
)

describe('the hybrid provider', () => {
  it('takes no signature of which one half is of another key', () => {
    const provider = new HybridProvider()
    const message = utf8('m')
    const [one, two] = [provider.generateKeypair(), provider.generateKeypair()]
    const [a, b] = [provider.sign(message, one.privateKey), provider.sign(message, two.privateKey)]
    const mixed = (first: Uint8Array, second: Uint8Array) =>
      Uint8Array.of(...first.subarray(0, 64), ...second.subarray(64))
    expect(provider.verify(message, mixed(a, a), one.publicKey)).toBe(true)
    expect(provider.verify(message, mixed(a, b), one.publicKey)).toBe(false)
    expect(provider.verify(message, mixed(b, a), one.publicKey)).toBe(false)
  })
})

describe('the BIP-322 provider', () => {
  it('signs as a wallet does that holds the key of its address', () => {
    const provider = new BIP322Provider()
    const { privateKey, publicKey } = provider.generateKeypair()
    const text = utf8('aegis-override/1 00')
    const simple = provider.formatSimple(provider.sign(text, privateKey))
    const address = provider.addressOf(publicKey)
    const verify = (of: string, said: Uint8Array, by: string) =>
      approverKeyKinds['BIP-322'].verify(of, said, by)
    expect(address).toMatch(/^bc1p/)
    expect(simple).toMatch(/^smp/)
    expect(verify(address, text, simple).verdict).toBe('valid')
    expect(verify(address, utf8('aegis-override/1 01'), simple).verdict).toBe('invalid')
  })

  it('has the address and key of BIP-86’s first vector', () => {
    const key = 'cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115'
    expect(new BIP322Provider().addressOf(new Uint8Array(Buffer.from(key, 'hex')))).toBe(
      'bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr',
    )
  })
})

describe.each(providers.map((provider) => [provider.algorithmName, provider] as const))(
  'the workflow with %s',
  (_, provider) => {
    it('goes from pending over partial to approved', () => {
      const { add, workflow } = world(provider)
      expect(workflow.state).toBe('PENDING')
      expect(add('bob', 'security_lead')).toBeUndefined()
      expect(workflow.state).toBe('PARTIAL')
      expect(add('ann', 'risk_lead')).toBeUndefined()
      expect(workflow.getResult()).toEqual({
        approved: true,
        expiresAt: start + 24 * hourMs,
        reason: null,
        signatures: [
          { actorId: 'bob', role: 'security_lead' },
          { actorId: 'ann', role: 'risk_lead' },
        ],
        state: 'APPROVED',
      })
      expect(workflow.reject('too late')).toBe('Request is APPROVED')
      expect(add('ann', 'risk_lead')).toBe('Request is APPROVED')
    })
  },
)

describe('the workflow', () => {
  const [provider] = providers
  if (provider === undefined) throw new Error('No provider')

  it('takes one signature of a person, of a role, and by the key that was registered', () => {
    const { add, keys, sign, workflow } = world(provider)
    expect(add('ann', 'security_lead')).toBe('Nobody of this id holds the role security_lead')
    expect(add('ann', 'risk_lead', sign('bob'))).toBe('Key is not the one of this person')
    expect(add('ann', 'risk_lead', { ...sign('bob'), publicKey: sign('ann').publicKey })).toBe(
      'Signature is not good',
    )
    expect(workflow.addSignature('zoe', 'risk_lead', '', '')).toContain('Nobody of this id')
    expect(workflow.addSignature('ann', 'risk_lead', '?', '?')).toBe('Not in base64')
    expect(workflow.state).toBe('PENDING')
    expect(add('ann', 'risk_lead')).toBeUndefined()
    expect(add('ann', 'risk_lead')).toBe('Role has signed already: risk_lead')
    expect(keys.ann.publicKey).not.toEqual(keys.bob.publicKey)
  })

  it('takes one signature of a person or key that has both roles, and none of who asked', () => {
    const pair = provider.generateKeypair()
    const both = ['risk_lead', 'security_lead'] as const
    const approvers = ['eve', 'mallory'].map((actorId) => ({
      actorId,
      publicKey: pair.publicKey,
      roles: both,
    }))
    const { workflow } = world(provider, { approvers, requestedBy: 'mallory' })
    const by = new Approver(
      approvers[0] ?? { actorId: '', publicKey: pair.publicKey, roles: both },
      provider,
    )
    const { publicKey, signature } = by.sign(workflow.message, pair.privateKey)
    const add = (who: string, role: 'risk_lead' | 'security_lead') =>
      workflow.addSignature(who, role, signature, publicKey)
    expect(add('mallory', 'risk_lead')).toBe('Whoever asked may not sign')
    expect(add('eve', 'risk_lead')).toBeUndefined()
    expect(add('eve', 'security_lead')).toBe('One person signs once')
    const again = world(provider, { approvers })
    const signed = by.sign(again.workflow.message, pair.privateKey)
    const more = (who: string, role: 'risk_lead' | 'security_lead') =>
      again.workflow.addSignature(who, role, signed.signature, signed.publicKey)
    expect(more('eve', 'risk_lead')).toBeUndefined()
    expect(more('mallory', 'security_lead')).toBe('One key signs once')
  })

  it('takes no signature of another request, though its words are the same', () => {
    const { add, sign, workflow } = world(provider)
    const { message } = workflow
    for (const other of [
      { ...message, requestedBy: 'dora' },
      { ...message, expiresAt: message.expiresAt + 1 },
      { ...message, justification: 'Customer begs' },
      { ...message, proposalId: 'p-2' },
      { ...message, failedGates: ['risk'] },
      {
        failedGates: message.failedGates,
        justification: message.justification,
        proposalId: message.proposalId,
      },
    ])
      expect(add('ann', 'risk_lead', sign('ann', other as typeof message))).toBe(
        'Signature is not good',
      )
    expect(workflow.state).toBe('PENDING')
  })

  it('ends at its time, a day later unless said otherwise, and stays approved behind it', () => {
    const { add, clock, workflow } = world(provider)
    clock.now = start + 24 * hourMs
    expect(add('ann', 'risk_lead')).toBeUndefined()
    clock.now += 1
    expect(add('bob', 'security_lead')).toBe('Request is REJECTED')
    expect(workflow.getResult()).toMatchObject({
      approved: false,
      reason: 'Request has expired',
      state: 'REJECTED',
    })
    const short = world(provider, { expiresInHours: 1 })
    short.add('ann', 'risk_lead')
    short.add('bob', 'security_lead')
    short.clock.now = start + 2 * hourMs
    expect(short.workflow.state).toBe('APPROVED')
  })

  it('ends when it is rejected', () => {
    const { add, workflow } = world(provider)
    add('ann', 'risk_lead')
    expect(workflow.reject('Too much')).toBeUndefined()
    expect(add('bob', 'security_lead')).toBe('Request is REJECTED')
    expect(workflow.getResult()).toMatchObject({ reason: 'Too much', state: 'REJECTED' })
    expect(workflow.reject('again')).toBe('Request is REJECTED')
  })

  it('does not begin where the floor failed, or nothing did, or nobody says why', () => {
    const begin = (change: Partial<WorkflowOptions>) => () => world(provider, change)
    expect(begin({ failedGates: ['risk', 'complexity'] })).toThrow('Complexity floor')
    expect(begin({ failedGates: [] })).toThrow('wanted')
    expect(begin({ justification: '' })).toThrow('wanted')
  })
})

describe('the validator', () => {
  it('judges two signatures together, by time, hash and number', () => {
    const provider = new BIP322Provider()
    const { approvers, keys, workflow } = world(provider)
    const { message, messageHash } = workflow
    const signed = (actorId: 'ann' | 'bob', role: 'risk_lead' | 'security_lead') => ({
      actorId,
      messageHash,
      publicKey: keys[actorId].publicKey,
      role,
      signature: provider.sign(createSigningText(messageHash), keys[actorId].privateKey),
    })
    const [one, two] = [signed('ann', 'risk_lead'), signed('bob', 'security_lead')]
    const validator = new DualSignatureValidator(provider, approvers)
    const judge = (signatures: readonly (typeof one)[], at = start, of = message) =>
      validator.validate({ message: of, signatures }, at)
    expect(judge([one, two])).toBeUndefined()
    expect(judge([one])).toBe('Signatures of risk_lead and security_lead are wanted: 1')
    expect(judge([])).toContain('wanted: 0')
    expect(judge([one, one])).toBe('ann: Role has signed already: risk_lead')
    expect(judge([one, two], message.expiresAt)).toBeUndefined()
    expect(judge([one, two], message.expiresAt + 1)).toBe('ann: Request has expired')
    expect(judge([one, { ...two, messageHash: '00'.repeat(32) }])).toBe(
      'bob: What was signed is another request',
    )
    expect(judge([one, two], start, { ...message, failedGates: ['complexity'] })).toContain('floor')
  })

  it('says of what has no hash that it cannot be signed', () => {
    const provider = new BIP322Provider()
    const { approvers, sign, workflow } = world(provider)
    const [{ publicKey, signature }, { message, messageHash }] = [sign('ann'), workflow]
    const given = {
      actorId: 'ann',
      messageHash,
      publicKey: Buffer.from(publicKey, 'base64'),
      role: 'risk_lead' as const,
      signature: Buffer.from(signature, 'base64'),
    }
    const validator = new DualSignatureValidator(provider, approvers)
    const { requestedBy, ...unasked } = message
    expect(validator.problem(message, given, [], start)).toBeUndefined()
    expect(requestedBy).toBe('carl')
    for (const wrong of [
      { ...message, justification: '\ud800' },
      { ...message, proposalId: 'p\udc00' },
      { ...message, failedGates: ['risk', 'risk'] },
      { ...message, failedGates: ['\udfff'] },
      { ...message, expiresAt: NaN },
      unasked,
    ])
      expect(validator.problem(wrong, given, [], start)).toMatch(/^Request cannot be signed: /)
    const [ann] = approvers
    if (ann === undefined) throw new Error('Nobody')
    const judged = new Approver(ann, provider).authorizeOverride(
      { ...message, justification: '\ud800' },
      given.signature,
      given.publicKey,
    )
    expect(judged).toMatchObject({ authorized: false, messageHash: '' })
    expect(judged.reason).toMatch(/^Request cannot be signed: /)
  })
})

describe('an approver', () => {
  it('authorises what is signed by the own key, and says why not', () => {
    const provider = new BIP322Provider()
    const { publicKey, privateKey } = provider.generateKeypair()
    const approver = new Approver({ actorId: 'ann', publicKey, roles: ['risk_lead'] }, provider)
    const message = { failedGates: ['risk'], justification: 'x', proposalId: 'p' }
    const signature = provider.sign(createSigningText(createMessageHash(message)), privateKey)
    const judge = (change = {}, key = publicKey) =>
      approver.authorizeOverride({ ...message, ...change }, signature, key)
    expect(judge()).toEqual({
      actorId: 'ann',
      authorized: true,
      messageHash: createMessageHash(message),
      reason: null,
    })
    expect(judge({ justification: 'y' })).toMatchObject({
      authorized: false,
      reason: 'Signature is not good',
    })
    expect(judge({}, provider.generateKeypair().publicKey).reason).toContain('Key is not')
    expect(judge({ failedGates: ['complexity'] }).reason).toContain('floor')
    expect(judge({ expiresAt: 1, requestedBy: 'ann' }).reason).toBe('Whoever asked may not sign')
  })
})

// Orders about keys, tenant by tenant, and how it stands with them. An order is a row of entries of the log: interrupted anywhere, it goes on when
// it is given again.
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { wishSchema, type ActionWish } from '../wire/actions.ts'
import {
  keyStatusSchema,
  type KeyOrder,
  type KeyOrderDone,
  type KeyStatus,
  type KeyStep,
  type KeyView,
} from '../wire/keys.ts'
import { whileWriting } from './administer.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { whileReading } from './evidence.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { formatStatus, nextOf } from './keys-status.ts'
import { localCaller } from './principal.ts'
import { jsonLine, printable } from './terminal.ts'
import { underTwoKeys, type TwoKeyFlags } from './two-keys.ts'

/** Flags of an order; without a tenant it is for all of them. */
export interface OrderFlags extends Omit<TwoKeyFlags, 'tenant'> {
  readonly tenant?: string
}

const goesOn = 'Run the same command again: it goes on where it stopped\n'

const nameOf = ({ purpose, version }: { purpose: string; version: number }): string =>
  `${purpose} v${version}`

const stepLine = (tenant: string | undefined, step: KeyStep): string => {
  const words = [step.event, nameOf(step), `index ${step.index}`]
  return `${[...(tenant === undefined ? [] : [tenant]), ...words].map(printable).join('  ')}\n`
}

/** What will happen to a key that is ended; how much that voids is counted when it does. */
function describeEnding(order: KeyOrder & { keyId: string }, key: KeyView): string {
  const name = `${nameOf(key)} (${key.state}, ${key.keyId})`
  if (order.order !== 'revoke')
    return `${name}: its private half is deleted for ever, what it signed verifies as before\n`
  const rotated = key.state === 'active' ? 'another takes its place, then it ' : ''
  const from =
    order.from === undefined
      ? 'from the entry that says so; what it signed before stays as it is'
      : `from ${key.purpose === 'log' ? 'tree size' : 'entry'} ${order.from} on`
  return `${name}: ${rotated}counts no more ${from}\n`
}

/** A key by its id, or by purpose and version. @throws {@link Failure} INPUT_NOT_FOUND */
function findKey(keys: readonly KeyView[], name: string): KeyView {
  const key = keys.find(
    ({ keyId, purpose, version }) => keyId === name || `${purpose}:${version}` === name,
  )
  if (key === undefined) throw new Failure('INPUT_NOT_FOUND', `No such key: ${name}`)
  return key
}

/** Orders that take two keys once a log is under dual control. */
const guardedOrders: readonly KeyOrder['order'][] = [
  'revoke',
  'destroy',
  'migrate',
  'rotate-master',
]

/** Says what an order will end, and names its key by its id. @throws {@link Failure} INPUT_NOT_FOUND */
async function announce(
  { err }: Context,
  service: Service,
  tenant: string,
  order: KeyOrder,
): Promise<KeyOrder> {
  if (order.order !== 'revoke' && order.order !== 'destroy') return order
  const key = findKey(await service.listKeys(tenant), order.keyId)
  err.note(describeEnding(order, key))
  return { ...order, keyId: key.keyId }
}

const withOfferNote = (done: KeyOrderDone): KeyOrderDone => ({
  ...done,
  notes: [...done.notes, 'The file of the offer may stay or go: the key store has what it holds'],
})

/** Whether a failure may have come between two steps: a refusal of the order itself comes before the first. */
const mayBeHalfDone = ({ code }: Failure): boolean =>
  !['INPUT_', 'CONFIG_', 'ACTION_'].some((family) => code.startsWith(family))

/** One order for one or more tenants. */
class Ordering {
  readonly #context: Context
  readonly #order: KeyOrder
  readonly #flags: OrderFlags
  #done = 0
  #tenants: readonly string[] = []

  constructor(context: Context, order: KeyOrder, flags: OrderFlags) {
    this.#context = context
    this.#order = order
    this.#flags = flags
  }

  get isHalfDone(): boolean {
    return this.#done < this.#tenants.length
  }

  async run(service: Service, interrupt: Interrupt): Promise<void> {
    const { tenant } = this.#flags
    this.#tenants =
      tenant === undefined ? (await service.listTenants()).map(({ name }) => name) : [tenant]
    for (const name of this.#tenants) {
      if (interrupt.received !== undefined) return
      await this.#runFor(service, name)
      this.#done++
    }
  }

  async #runFor(service: Service, tenant: string): Promise<void> {
    try {
      const order = await announce(this.#context, service, tenant, this.#order)
      const done = await service.orderKeys(tenant, order, localCaller(), this.#flags.action)
      await this.#tell(this.#order.order === 'admit' ? withOfferNote(done) : done)
    } catch (error) {
      const { err } = this.#context
      // A reader that went away says nothing about the order.
      if (!(error instanceof Failure)) throw error
      if (this.#tenants.length > 1)
        err.note(
          `Stopped at tenant ${tenant}: ${this.#done} of ${this.#tenants.length} tenants done\n`,
        )
      if (this.#done > 0 || mayBeHalfDone(error)) err.note(goesOn)
      throw error
    }
  }

  async #tell(done: KeyOrderDone): Promise<void> {
    const { err, out } = this.#context
    if (this.#flags.json === true) {
      await out.write(jsonLine(done))
      return
    }
    const tenant = this.#tenants.length > 1 ? done.tenant : undefined
    for (const step of done.steps) await out.write(stepLine(tenant, step))
    const whose = tenant === undefined ? '' : `${tenant}: `
    if (done.steps.length === 0) err.note(`${whose}nothing was left to do\n`)
    for (const note of done.notes) err.note(`${whose}${printable(note)}\n`)
  }
}

/** What an order comes to for those who sign it. */
async function wishOf(service: Service, tenant: string, order: KeyOrder): Promise<ActionWish> {
  switch (order.order) {
    case 'revoke':
    case 'destroy': {
      const { keyId, order: name, ...rest } = order
      const key = findKey(await service.listKeys(tenant), keyId)
      return wishSchema.parse({ action: `keys.${name}`, key: key.keyId, ...rest })
    }
    case 'migrate':
    case 'rotate-master': {
      const { order: name, ...rest } = order
      return wishSchema.parse({ action: `keys.${name}`, ...rest })
    }
    case 'rotate':
    case 'rewrap':
    case 'admit':
      throw new Failure('BUG', `Order takes no two keys: ${order.order}`)
  }
}

/** An order such as `keys rotate evidence`; one that takes two keys is for one tenant. */
export async function orderKeys(
  context: Context,
  order: KeyOrder,
  flags: OrderFlags,
): Promise<number> {
  if (!guardedOrders.includes(order.order)) return orderNow(context, order, flags)
  const { tenant } = flags
  if (tenant === undefined && (flags.action !== undefined || flags.wait === true))
    throw new Usage('An action is of one tenant: --tenant')
  if (tenant === undefined) return orderNow(context, order, flags)
  return underTwoKeys(
    context,
    { ...flags, tenant },
    (service) => wishOf(service, tenant, order),
    (action) => orderNow(context, order, { ...flags, ...(action === undefined ? {} : { action }) }),
  )
}

async function orderNow(context: Context, order: KeyOrder, flags: OrderFlags): Promise<number> {
  const interrupt = listenForInterrupt(context.io.signals)
  const ordering = new Ordering(context, order, flags)
  const work = whileWriting(context, flags, (service) => ordering.run(service, interrupt)).then(
    () => {
      const { received } = interrupt
      if (received === undefined || !ordering.isHalfDone) return exitCodes.done
      context.err.note(`Interrupted. ${goesOn}`)
      return signalExit[received]
    },
  )
  try {
    // Who insists does not wait for the step under way; it may be durable or not, as after a crash.
    return await Promise.race([
      work,
      interrupt.insisted.then(() => {
        context.err.note(`Interrupted. ${goesOn}`)
        return signalExit.SIGINT
      }),
    ])
  } finally {
    interrupt.stop()
  }
}

async function statusOf(context: Context, flags: TenantFlags): Promise<KeyStatus> {
  const composition = await context.compose()
  const server = await composition.connectServer(flags)
  if (server !== undefined) {
    try {
      const told = keyStatusSchema.safeParse(await server.keyStatus(flags.tenant))
      if (told.success) return told.data
      throw new Failure(
        'CONFIG_INVALID',
        'The server that runs is of another version and says it in another way: restart it, or use its own command',
      )
    } finally {
      await server.close()
    }
  }
  const stored = await whileReading(context, flags, async (service) => ({
    keys: [...(await service.listKeys(flags.tenant))],
    master: await service.readMaster(flags.tenant),
    slots: [...(await service.listSlots(flags.tenant))],
  }))
  const providers = [...(await composition.keyHealth(flags, flags.tenant))]
  // Who reads this must not take it for what a start would say.
  context.err.note(
    'not checked without a server: whether manifest and pin vouch for this, which countersign log fsck --unseal does\n',
  )
  const status = { ...stored, providers, tenant: flags.tenant }
  return { ...status, next: nextOf(status, Date.now()) }
}

/** `keys status` */
export async function keysStatus(context: Context, flags: TenantFlags): Promise<number> {
  const status = await statusOf(context, flags)
  await context.out.write(flags.json === true ? jsonLine(status) : formatStatus(status, Date.now()))
  return exitCodes.done
}

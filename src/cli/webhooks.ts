// Webhooks at the command line. A secret is printed when it is made, and never again.
import { fromUtf8 } from '../base/bytes.ts'
import {
  webhookCreatedSchema,
  webhookListSchema,
  webhookSchema,
  webhookTestedSchema,
} from '../wire/webhooks.ts'
import { whileWriting } from './administer.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { localCaller } from './principal.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'
import { readTypedSecret } from './typed-secret.ts'

/** Flags of `webhook add`. */
export interface AddFlags extends TenantFlags {
  readonly kind?: readonly string[]
  readonly secretFile?: string
  readonly description?: string
}

async function readSecret(context: Context, file: string): Promise<string> {
  using secret = await readTypedSecret(context, file, {
    option: '--secret-file',
    prompt: 'Secret of the webhook: ',
  })
  try {
    return secret.use(fromUtf8).trim()
  } catch {
    throw new Usage('A secret is whsec_ and base64: --secret-file')
  }
}

/** `webhook add URL` */
export async function addWebhook(context: Context, url: string, flags: AddFlags): Promise<number> {
  const { description, json, kind, secretFile, tenant } = flags
  const secret = secretFile === undefined ? undefined : await readSecret(context, secretFile)
  const made = await whileWriting(context, flags, async (service) =>
    webhookCreatedSchema.parse(
      await service.addWebhook(
        tenant,
        {
          url,
          ...(kind === undefined ? {} : { kinds: [...kind] }),
          ...(secret === undefined ? {} : { secret }),
          ...(description === undefined ? {} : { description }),
        },
        localCaller(),
      ),
    ),
  )
  await context.out.write(
    json === true ? jsonLine(made) : made.secret === null ? '' : `${made.secret}\n`,
  )
  if (!/^https:/i.test(url))
    context.err.note(
      'Without https it is told nothing unless the server has webhooks.allowPrivate\n',
    )
  context.err.note(
    `Webhook ${made.webhook.id} is made; try it: countersign webhook test ${made.webhook.id}\n`,
  )
  return exitCodes.done
}

/** `webhook list` */
export async function listWebhooks(context: Context, flags: TenantFlags): Promise<number> {
  const told = await whileWriting(context, flags, async (service) =>
    webhookListSchema.parse(await service.listWebhooks(flags.tenant)),
  )
  const { dead, deadDeliveries, waiting, webhooks } = told
  const rows = webhooks.map(({ createdAt, id, kinds, url }) => [
    id,
    date(createdAt),
    kinds.join(' '),
    printable(url),
  ])
  const head = ['webhook', 'made', 'kinds', 'url']
  await context.out.write(
    flags.json === true
      ? jsonLine({ ...told, cursor: null })
      : rows.length === 0
        ? ''
        : formatTable([head, ...rows]),
  )
  if (waiting > 0) context.err.note(`Waiting to be told: ${waiting}\n`)
  if (dead > 0) {
    context.err.note(`Given up: ${dead}\n`)
    for (const { attempts, event, kind, last, webhook } of deadDeliveries)
      context.err.note(
        `  ${event} ${kind} to ${webhook}: ${printable(last ?? 'unknown')} after ${attempts} attempts\n`,
      )
  }
  return exitCodes.done
}

/** `webhook remove ID` */
export async function removeWebhook(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const removed = await whileWriting(context, flags, async (service) =>
    webhookSchema.parse(await service.removeWebhook(flags.tenant, id, localCaller())),
  )
  await context.out.write(
    flags.json === true ? jsonLine(removed) : `removed  ${removed.id}  ${printable(removed.url)}\n`,
  )
  return exitCodes.done
}

/** `webhook test ID` */
export async function testWebhook(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const tested = await whileWriting(context, flags, async (service) =>
    webhookTestedSchema.parse(await service.testWebhook(flags.tenant, id, localCaller())),
  )
  await context.out.write(
    flags.json === true ? jsonLine(tested) : `waits  ${tested.webhook}  entry ${tested.index}\n`,
  )
  context.err.note(
    'A running server sends it at once; what becomes of it: countersign webhook list\n',
  )
  return exitCodes.done
}

// What an operator's probes are told.
import { z } from 'zod'

/** Whether the process is alive. */
export const aliveSchema = z
  .strictObject({ status: z.literal('ok'), version: z.string() })
  .meta({ id: 'Alive' })

/** Whether work can be done now, and what is wrong part by part. */
export const readySchema = z
  .strictObject({ ready: z.boolean(), parts: z.record(z.string(), z.string()) })
  .meta({ id: 'Ready' })

// What API keys are bound to, as the entries of the stream `admin` tell it: policies that decide on all they ask for, and the environment they ask from.
// A bond is as old as its key and stays what it was; who is no API key is bound to nothing.
import { z } from 'zod'
import type { AdminMatter, Caller } from '../dossier/matters.ts'

/** What the entry that makes an API key says of its bonds, among other things. */
export const bondsSchema = z.looseObject({
  policies: z.array(z.string()).default([]),
  environment: z.string().nullable().default(null),
})

/** What a caller is bound to. */
export interface Bonds {
  readonly policies: readonly string[]
  readonly environment: string | null
}

const free: Bonds = Object.freeze({ environment: null, policies: Object.freeze([]) })

interface Made {
  readonly index: number
  /** Undefined where they cannot be read. */
  readonly bonds: Bonds | undefined
}

/** The bonds of all API keys of a log. */
export class KeyBonds {
  readonly #made = new Map<string, Made[]>()

  /** Takes the next entry of the stream. */
  add(index: number, { action, detail, subject }: AdminMatter): void {
    if (action !== 'apikey.create') return
    const made = this.#made.get(subject) ?? []
    made.push({ bonds: bondsSchema.safeParse(detail).data, index })
    this.#made.set(subject, made)
  }

  /** What a caller was bound to at an index; undefined where the log says it in a form unknown here. */
  at({ id, type }: Caller, index: number): Bonds | undefined {
    if (type !== 'apiKey') return free
    const made = this.#made.get(id)?.findLast((one) => one.index < index)
    return made === undefined ? free : made.bonds
  }
}

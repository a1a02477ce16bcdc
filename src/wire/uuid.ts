import { z } from 'zod'
import { isUuid } from '../base/uuid.ts'

/** A UUID of any version in lower case: the id of a decision, an action or a key. */
export const uuidSchema = z.string().refine(isUuid, 'UUID in lower case expected')

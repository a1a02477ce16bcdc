// What is known of a data directory before anything in it is opened.
import { holdsDatabase } from './store/database-file.ts'

/** The tenant that every installation begins with. */
export const firstTenant = 'default'

/** Whether a data directory holds no database yet. */
export const isNew = (data: string): boolean => !holdsDatabase(data)

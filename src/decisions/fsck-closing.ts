// Of the check of a tenant: that nothing was decided once it was closed. The service refuses that by itself; whoever has its keys could still sign.
import type { Leaf } from '../dossier/leaf.ts'
import { matters } from '../dossier/matters.ts'
import type { Statement } from '../dossier/statement.ts'
import type { Found } from './fsck-findings.ts'
import { deciding } from './room.ts'

/** Hears of entries in their order, and tells of those that decide behind the end of the tenant. */
export function watchClosing(
  found: Found,
): (index: number, leaf: Leaf, statement: Statement | undefined) => void {
  let closedAt: number | undefined
  return (index, { kind, stream }, statement) => {
    if (closedAt !== undefined && deciding.includes(kind))
      found({
        index,
        part: 'entry',
        what: `Tenant was closed at index ${closedAt}, and takes no ${kind} behind it`,
      })
    if (kind !== 'admin' || stream !== 'control') return
    const matter = matters.admin.safeParse(statement?.predicate.matter).data
    if (matter?.action === 'tenant.close') closedAt ??= index
  }
}

// What is the same at the command line for every request that two leads sign, be it to overrule a decision or to do what could undo evidence.
import { utf8 } from '../base/bytes.ts'
import type { Service } from '../decisions/service.ts'
import type { LeadRole } from '../verify/two-key-story.ts'
import type { ActionView } from '../wire/actions.ts'
import type { OverrideView } from '../wire/overrides.ts'
import { signAs, type ApproverFlags } from './approver.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { expectLead } from './expect-signer.ts'
import { writeWhole } from './files.ts'
import { date, printable } from './terminal.ts'

/** The rows that tell how it stands with a request. */
export function standingRows(
  view: Pick<OverrideView, 'approveBy' | 'executeBy' | 'index' | 'signatures' | 'status' | 'void'>,
): readonly (readonly [string, string])[] {
  const { approveBy, executeBy, index, signatures, status } = view
  const signed = signatures.map(({ person, role }) => `${printable(person)} (${role})`)
  return [
    ['status', view.void ? `${status}, void: the roster has changed` : status],
    ['signed by', signed.join(', ') || 'nobody'],
    ['approve by', date(approveBy)],
    ['execute by', date(executeBy)],
    ['last step', `index ${index}`],
  ]
}

/** Writes the exact bytes that are signed, and nothing else. */
export async function writeChallenge(
  { io, out }: Context,
  challenge: string,
  file = '-',
): Promise<number> {
  if (file === '-') await out.write(challenge)
  else await writeWhole(io.cwd, file, utf8(challenge))
  return exitCodes.done
}

/** Flags of `action sign` and `override sign`. */
export interface SignFlags extends TenantFlags, ApproverFlags {
  readonly role: LeadRole
}

/**
 * Shows a challenge and signs it, or takes the signature that was made elsewhere.
 * @param code of the refusal where this signature could not count
 */
export async function signChallenge(
  context: Context,
  service: Service,
  flags: SignFlags,
  view: OverrideView | ActionView,
  code: 'ACTION_REFUSED' | 'OVERRIDE_REFUSED',
) {
  const { challenge } = view
  await expectLead(context, service, view, flags, code)
  context.err.note(challenge)
  const { by, signature } = await signAs(context, flags, challenge)
  const { person, role } = flags
  return {
    challenge,
    role,
    signature,
    ...(by === undefined ? {} : { key: by.key, kind: by.kind }),
    ...(person === undefined ? {} : { person }),
  }
}

// The use cases that two people answer for: overrides, actions, dual control, and the roster that says who they are.
import type { Access } from './access.ts'
import { listActions, openAction, readAction, stepAction } from './action-desk.ts'
import { executeAction } from './action-effects.ts'
import { closeTenant, endControl, viewControl } from './closing.ts'
import type { EscalationHall } from './escalation-hall.ts'
import type { KeyDesk } from './key-desk.ts'
import { actOnOverride, openOverride, readOverride } from './override-desk.ts'
import { listOverrides } from './override-list.ts'
import { expectNotClosed } from './room.ts'
import { applyRoster, readRoster } from './roster-desk.ts'
import type { Service } from './service.ts'

type OverrideCalls = Pick<
  Service,
  'openOverride' | 'actOnOverride' | 'readOverride' | 'listOverrides'
>
type ActionCalls = Pick<Service, 'openAction' | 'actOnAction' | 'readAction' | 'listActions'>
type ControlCalls = Pick<
  Service,
  'readRoster' | 'applyRoster' | 'readControl' | 'closeTenant' | 'endControl'
>
type Ways = Pick<Access, 'sign' | 'use'>

/** What is done to overrule decisions. */
export const overrideCalls = (
  access: Ways,
  hall: Pick<EscalationHall, 'ring'>,
  overridesPerDay: number,
): OverrideCalls => ({
  openOverride: async (principal, opening) =>
    access.sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return openOverride(room, principal, opening)
    }),

  actOnOverride: async (principal, id, act) => {
    const { tenant } = principal
    const view = await access.sign(tenant, (room) =>
      actOnOverride(room, principal, id, act, overridesPerDay),
    )
    if (view.status === 'executed') hall.ring(tenant, id)
    return view
  },

  readOverride: async (tenant, id) => access.use(tenant, (room) => readOverride(room, id)),

  listOverrides: async (tenant, request) =>
    access.use(tenant, (room) => listOverrides(room, request, overridesPerDay)),
})

/** What is done about things that could undo evidence. */
export const actionCalls = (access: Ways, desk: Pick<KeyDesk, 'order'>): ActionCalls => ({
  openAction: async (principal, opening) =>
    access.sign(principal.tenant, (room) => openAction(room, principal, opening)),

  actOnAction: async (principal, id, act) =>
    access.sign(principal.tenant, async (room) => {
      if (act.act !== 'execute') return stepAction(room, principal, id, act)
      const done = await executeAction(room, desk, principal, id)
      return { ...(await readAction(room, id)), done }
    }),

  readAction: async (tenant, id) => access.use(tenant, (room) => readAction(room, id)),

  listActions: async (tenant, request) => access.use(tenant, (room) => listActions(room, request)),
})

/** Who the people of a tenant are, and whether two of them are demanded. */
export const controlCalls = (access: Ways, demandsTwo: boolean): ControlCalls => ({
  readRoster: async (tenant) => access.use(tenant, readRoster),

  applyRoster: async (tenant, proposal, by) =>
    access.sign(tenant, (room) => applyRoster(room, proposal, by, demandsTwo)),

  readControl: async (tenant) => access.use(tenant, viewControl),

  closeTenant: async (tenant, reason, by, action) =>
    access.sign(tenant, (room) => closeTenant(room, reason, by, action)),

  endControl: async (tenant, reason, by, action) =>
    access.sign(tenant, (room) => endControl(room, reason, by, action)),
})

import type { KekKind, KekProvider } from '../../src/kek/kek.ts'

/** A provider that says it is of another kind: what a master key is moved to where no token is needed. */
export const disguise = (real: KekProvider, kind: KekKind): KekProvider => ({
  metadata: { ...real.metadata, kind },
  close: () => real.close(),
  probe: () => real.probe(),
  unwrap: (wrapped, context) => real.unwrap(wrapped, context),
  wrap: (key, context) => real.wrap(key, context),
})

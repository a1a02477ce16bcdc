// The decision engine for programs that embed it, the published face: bundles are compiled once and decide as often as wanted. Pure and total: the same
// input gives the same answer for ever, and nothing throws but the compiling of a bundle that is none. How answers compose: COMPOSITION.md.
export { compileBundle, type CompiledBundle } from './compile.ts'
export { decide, type Decided, type DecideInput } from './decide.ts'
export { explainDecision } from './explain.ts'
export { lintBundle, type LintFinding } from './lint.ts'
export { definePredicate, gatherPredicates, type Predicate } from './predicate.ts'
export type { PolicyRequest } from './request.ts'
export type { ActivePolicy } from './select.ts'
export { compileSource, readBundleSource, type BundleSource } from './source.ts'

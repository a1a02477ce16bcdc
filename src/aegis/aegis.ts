// AEGIS by its own names, on our own pieces, for programs that were written against it: its gates, and its override workflow. It runs anywhere and keeps nothing:
// whoever wants overrides that are evidence uses those of the service. Two things are otherwise than in AEGIS, and on purpose: what is signed also binds
// who asked and until when, so that a signature cannot be used for a second request of the same words; and a key is believed only where it was registered
// for its person beforehand, never because it came along with a signature.
export { Approver, type OverrideAuthorization } from './approver.ts'
export { Bip322Provider as BIP322Provider } from './bip322-provider.ts'
export {
  DualSignatureValidator,
  type ApproverRecord,
  type DualSignatures,
  type OverrideRole,
  type OverrideSignatureInput,
} from './dual-signature-validator.ts'
export {
  AegisConfig,
  ComplexityDecomposer,
  UtilityCalculator,
  type UtilityResult,
} from './gates.ts'
export { DriftMonitor } from '../policy/drift-monitor.ts'
export { GateEvaluator, type GateEvaluation } from '../policy/gate-evaluator.ts'
export {
  pcwDecide,
  quickRiskCheck,
  requireHumanApproval,
  type PcwDecision,
  type PcwOccasion,
} from '../policy/pcw.ts'
export { HybridProvider } from './hybrid-provider.ts'
export {
  createMessageHash,
  createSigningText,
  messageHashVersion,
  type OverrideMessage,
} from './message-hash.ts'
export {
  OverrideWorkflow,
  type OverrideResult,
  type OverrideState,
  type WorkflowOptions,
} from './override-workflow.ts'
export type { Keypair, SignatureProvider } from './signature-provider.ts'

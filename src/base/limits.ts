// Every bound that a stranger can meet, in one place. Each has a test on both sides.

/** Bounds of what is accepted; bytes unless the name says otherwise. */
export const limits = Object.freeze({
  /** Nesting of JSON arrays and objects. */
  jsonDepth: 64,
  /** The same in evidence: a request stands a few levels deeper in the statement that is made of it. */
  evidenceDepth: 72,
  /** Uses of one decision, so that its dossier stays one that verifies. */
  executions: 256,
  /** Requests to overrule one decision, so that its dossier stays one that verifies and reading it stays quick. */
  overrideRequests: 32,
  /** Request body of the API. */
  bodyBytes: 262_144,
  /** DSSE payload of one entry. */
  payloadBytes: 262_144,
  /** Leaf of one entry (DESIGN §3). */
  leafBytes: 1024,
  /** A dossier file. */
  dossierBytes: 64 * 1024 * 1024,
  /** Entries of one dossier. */
  dossierEntries: 10_000,
  /** Entries of a tenant's administration beyond which no webhook is made or tested: the rest of a dossier is for other acts. */
  webhookEntries: 8000,
  /** A line of a period file that is neither a dossier nor a leaf. */
  periodHeadBytes: 4 * 1024 * 1024,
  /** A trust root file. */
  trustRootBytes: 4 * 1024 * 1024,
  /** Signature lines of a signed note. */
  noteLines: 64,
  /** A signed note. */
  noteBytes: 1_048_576,
  /** Hashes of an inclusion or consistency proof. */
  proofHashes: 63,
  /** Entries of one commit. */
  batchEntries: 256,
  /** Entries that wait for a commit. */
  queueEntries: 4096,
  /** What one pattern of a new bundle may weigh, about the steps of its program; and all of them together. */
  patternWeight: 25_000,
  bundlePatternWeight: 500_000,
  /** The same of all bundles of a tenant that decide. */
  activePatternWeight: 1_000_000,
  /** Bundles of a tenant that are registered and not retired, the bytes of their records, and how many of them decide. */
  policies: 1024,
  policyBytes: 64 * 1024 * 1024,
  activePolicies: 128,
  /** Requests that wait for escalations at a time. */
  escalationWaits: 1024,
  /** Connections of an HTTP edge, unless the operator says another number. */
  connections: 1024,
  /** Requests that wait on a connection for the answer to the one before them. */
  requestsInTurn: 32,
  /** What a peer must take a second of a long answer, beyond the time that every answer has. */
  answerBytesPerSecond: 16_384,
  /** Long answers that are on their way together. */
  answerBytes: 256 * 1024 * 1024,
})

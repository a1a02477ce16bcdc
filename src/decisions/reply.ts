// What whoever asked is answered: JSON text that is spliced and never parsed on its way to the socket.
import { encodeBase64 } from '../base/base64.ts'
import { payloadType } from '../dossier/dsse.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import type { Appended } from '../log/log.ts'

/** Where a decision's dossier can be had, relative to the service. */
export const dossierUrl = (id: string): string => `/v1/decisions/${id}/dossier`

/** What a reply says of the decision besides its evidence. */
interface Told extends Pick<DecisionMatter, 'id' | 'mode' | 'source' | 'status'> {
  /** JSON text. */
  readonly reasons: string
  /** JSON text. */
  readonly obligations: string
}

interface Reply {
  readonly decision: Told
  readonly payload: Uint8Array | null
  readonly keyid: string
  readonly signature: Uint8Array
  readonly replayed: boolean
}

/** What the replies of one commit have in common, as text. */
let common = { note: '', json: '', hashes: new Map<Uint8Array, string>() }

/** The em dash is escaped, and the text made anew: one such character, even of the past, would make every reply a two-byte string. */
function commonTo(note: string): typeof common {
  if (note !== common.note) {
    const json = Buffer.from(JSON.stringify(note).replaceAll('—', '\\u2014'), 'latin1')
    common = { note, json: json.toString('latin1'), hashes: new Map() }
  }
  return common
}

/** JSON text of a proof; neighbours in a tree share most of their hashes. */
function proofJson(proof: readonly Uint8Array[], hashes: Map<Uint8Array, string>): string {
  let out = ''
  for (const hash of proof) {
    let text = hashes.get(hash)
    if (text === undefined) {
      text = `"${encodeBase64(hash)}"`
      hashes.set(hash, text)
    }
    out += out === '' ? text : `,${text}`
  }
  return `[${out}]`
}

/** JSON text of a `Notarised`. Every value spliced here is base64, hex, a number, JSON already or one of our own words: nothing in it wants escaping. */
export function formatReply(
  reply: Reply,
  proved: Pick<Appended, 'index' | 'time' | 'leaf' | 'proof' | 'checkpoint'>,
): string {
  const { decision, payload, keyid, signature, replayed } = reply
  const { id, status } = decision
  const envelope =
    payload === null
      ? 'null'
      : `{"payload":"${encodeBase64(payload)}","payloadType":"${payloadType}","signatures":[{"keyid":"${keyid}","sig":"${encodeBase64(signature)}"}]}`
  const { hashes, json } = commonTo(proved.checkpoint)
  // A replay's hashes were read for it alone; kept they would pile up for as long as the log stands still.
  const proof = proofJson(proved.proof, replayed ? new Map<Uint8Array, string>() : hashes)
  return (
    `{"id":"${id}","status":"${status}","time":${proved.time},"index":${proved.index},"envelope":${envelope},` +
    `"leaf":"${encodeBase64(proved.leaf)}","proof":${proof},"checkpoint":${json},` +
    `"dossierUrl":"${dossierUrl(id)}",${toldOf(decision)}"replayed":${String(replayed)}}`
  )
}

/** What whoever asked must hear of a decision that was made here: whether he may go on, why, and what he has to do. */
function toldOf({ mode, obligations, reasons, source, status }: Told): string {
  if (source === 'submitted') return ''
  const proceed = mode === 'shadow' || status === 'ALLOW'
  return `"mode":"${mode}","proceed":${String(proceed)},"reasons":${reasons},"obligations":${obligations},`
}

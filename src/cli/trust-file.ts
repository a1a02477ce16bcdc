import { limits } from '../base/limits.ts'
import { parseTrustRoot } from '../verify/index.ts'
import { Usage } from './complain.ts'
import { readBounded } from './files.ts'

/** The bytes of a trust root: what is none says nothing of any evidence. @throws {@link Usage} */
export async function readTrustFile(cwd: string, name: string): Promise<Uint8Array> {
  const file = await readBounded(cwd, name, limits.trustRootBytes)
  const parsed = parseTrustRoot(file)
  if (typeof parsed === 'string') throw new Usage(`${parsed}: ${name}`)
  return file
}

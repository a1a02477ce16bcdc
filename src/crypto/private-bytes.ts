// Buffers for what is secret. V8 keeps a typed array of up to 64 bytes inside its heap: collecting garbage moves it and leaves the old bytes behind,
// and node:crypto copies it out without wiping. One made on an ArrayBuffer stays where it is, so that wiping it wipes the only copy.

/** Zeros at an address of their own; the caller wipes what it puts there. */
export const privateBytes = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new ArrayBuffer(length))

/** The parts in order at an address of their own, which the caller wipes. */
export function privateCopy(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = privateBytes(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

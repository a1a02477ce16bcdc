// Whether one text stands in another, in the time that reading both takes. `String.prototype.includes` may take their product, so that a rule with a long text
// and a request with another hold up whoever asks after them.

/** Up to here `includes` is quicker, whatever the texts are. */
const short = 32

/** For each beginning of a text, how long its longest other end is that the text begins with (Knuth, Morris, Pratt). */
function bordersOf(text: string): Int32Array {
  const borders = new Int32Array(text.length)
  for (let at = 1, length = 0; at < text.length;) {
    if (text.charCodeAt(at) === text.charCodeAt(length)) borders[at++] = ++length
    else if (length > 0) length = borders[length - 1] ?? 0
    else at++
  }
  return borders
}

function isFound(text: string, wanted: string, borders: Int32Array): boolean {
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    while (length > 0 && wanted.charCodeAt(length) !== unit) length = borders[length - 1] ?? 0
    if (wanted.charCodeAt(length) === unit) length++
    if (length === wanted.length) return true
  }
  return false
}

/** Whether a text has another in it, as a closure of the other; what it takes to make it ready, the first long text takes. */
export function includesText(wanted: string): (text: string) => boolean {
  if (wanted.length <= short) return (text) => text.includes(wanted)
  let borders: Int32Array | undefined
  return (text) =>
    text.length >= wanted.length && isFound(text, wanted, (borders ??= bordersOf(wanted)))
}

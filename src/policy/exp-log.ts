// The exponential and the logarithm from + − × ÷ alone. ECMAScript leaves Math.exp and Math.log to the engine, and a decision that is recomputed
// years later on another machine must come out with the same bits. Both are within 2 units in the last place.

// ln 2 in two parts; k times the first, whose low 32 bits are zero, is exact for every exponent k of a double.
const ln2High = 0.6931471803691238
const ln2Low = 1.9082149292705877e-10

const view = new DataView(new ArrayBuffer(8))

/** 2^k for −1022 ≤ k ≤ 1023. */
function powerOfTwo(k: number): number {
  view.setUint32(0, (k + 1023) << 20)
  view.setUint32(4, 0)
  return view.getFloat64(0)
}

const leastNormal = powerOfTwo(-1022)

/** e to the power of x. */
export function exp(x: number): number {
  if (x > 709.782712893384) return Infinity
  if (x < -745.14) return 0
  if (Number.isNaN(x)) return NaN
  const k = Math.round(x / (ln2High + ln2Low))
  const rest = x - k * ln2High - k * ln2Low
  let sum = 1
  for (let n = 14; n > 0; n--) sum = 1 + (rest * sum) / n
  // In two steps, for 2^k alone may lie outside the doubles.
  const half = Math.trunc(k / 2)
  return sum * powerOfTwo(half) * powerOfTwo(k - half)
}

/** The natural logarithm: −Infinity of 0, NaN below. */
export function log(x: number): number {
  if (x === 0) return -Infinity
  if (!(x > 0)) return NaN
  if (x === Infinity) return x
  const lift = x < leastNormal ? 54 : 0
  view.setFloat64(0, x * powerOfTwo(lift))
  const exponent = (view.getUint32(0) >>> 20) - 1023
  const mantissa = x * powerOfTwo(lift) * powerOfTwo(-Math.min(exponent, 1022))
  const whole = exponent === 1023 ? mantissa / 2 : mantissa
  const [k, m] = whole > 1.4142135623730951 ? [exponent + 1, whole / 2] : [exponent, whole]
  // log m = 2 artanh((m − 1)/(m + 1)), and the argument is at most 0.172.
  const s = (m - 1) / (m + 1)
  let sum = 0
  for (let n = 25; n > 0; n -= 2) sum = sum * s * s + 1 / n
  const shift = k - lift
  return shift * ln2High + (2 * s * sum + shift * ln2Low)
}

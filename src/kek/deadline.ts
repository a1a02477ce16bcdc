// An end for calls across a network that may never end by themselves.

const failureNamed = (name: string): Error => Object.assign(new Error(name), { name })

/**
 * What `call` gives, or after `ms` an error named `DeadlineError`, or once `closing` is aborted one named `ClosedError`: at once, also where the call
 * does not listen to the signal it is given, as the SDK of AWS does not while it looks for credentials. Nothing is called where `closing` was aborted
 * before.
 */
export async function within<T>(
  ms: number,
  closing: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const abort = new AbortController()
  const given = Promise.withResolvers<never>()
  const giveUp = (name: string): void => {
    abort.abort()
    given.reject(failureNamed(name))
  }
  const close = (): void => {
    giveUp('ClosedError')
  }
  if (closing.aborted) throw failureNamed('ClosedError')
  const timer = setTimeout(giveUp, ms, 'DeadlineError')
  closing.addEventListener('abort', close)
  try {
    return await Promise.race([call(abort.signal), given.promise])
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', close)
  }
}

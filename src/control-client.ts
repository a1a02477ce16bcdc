// The command line's side of the control socket: a service that a running server answers.
import { createConnection, type Socket } from 'node:net'
import { z } from 'zod'
import { Failure, failureCodes, type FailureCode } from './base/failure.ts'
import { encodeFrame, maxAnswerBytes, maxCallBytes, readFrames } from './control-frames.ts'
import { placeSocket } from './control-path.ts'
import { connectService } from './decisions/service-client.ts'
import { failed, type Answer, type Call, type Channel } from './decisions/service-host.ts'
import type { Service } from './decisions/service.ts'
import { parseValue } from './wire/decision.ts'

const connectMs = 2000
/** A server that lives but does not get to answer is as good as none. */
const answerMs = 5000

// A newer server may have a code that is not known here; without a row of the table nothing could be said of it.
const code = z
  .string()
  .transform((text): FailureCode =>
    Object.hasOwn(failureCodes, text) ? (text as FailureCode) : 'BUG',
  )

const answersSchema = z.array(
  z.union([
    z.strictObject({
      id: z.int(),
      failure: z.strictObject({
        code,
        message: z.string(),
        field: z.string().optional(),
        stack: z.string().optional(),
      }),
    }),
    z.strictObject({ id: z.int(), value: z.unknown() }),
  ]),
)

const tooLarge = ({ id }: Call): Answer =>
  failed(id, new Failure('INPUT_TOO_LARGE', `Call is larger than ${maxCallBytes} bytes`))

/** A socket as the channel of calls: each goes in a frame of its own. */
function channelOf(socket: Socket): Channel {
  let deliver: ((answers: readonly Answer[]) => void) | undefined
  readFrames(socket, maxAnswerBytes, (message) => {
    deliver?.(parseValue(answersSchema, message) as readonly Answer[])
  })
  return {
    // Everything was answered; a server that hangs must not keep us.
    close: () => {
      socket.destroySoon()
    },
    on(event: 'message' | 'close', listener: (message: readonly never[]) => void) {
      if (event === 'message') deliver = listener as (answers: readonly Answer[]) => void
      else
        socket.once('close', () => {
          listener([])
        })
    },
    postMessage(calls) {
      for (const call of calls as readonly Call[]) {
        const frame = encodeFrame([call], maxCallBytes)
        if (frame === undefined) setImmediate(() => deliver?.([tooLarge(call)]))
        else socket.write(frame)
      }
    },
  }
}

const connected = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => {
    const late = setTimeout(resolve, connectMs, false)
    const settle = (is: boolean): void => {
      clearTimeout(late)
      resolve(is)
    }
    socket.once('connect', () => {
      settle(true)
    })
    socket.once('error', () => {
      settle(false)
    })
  })

async function answers(service: Service, ms: number): Promise<boolean> {
  let late: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      service.health().then(() => true),
      new Promise<false>((resolve) => {
        late = setTimeout(resolve, ms, false)
      }),
    ])
  } catch {
    return false
  } finally {
    clearTimeout(late)
  }
}

function open(directory: string): Socket | undefined {
  try {
    const place = placeSocket(directory)
    const socket = createConnection(place.path)
    const settled = ['connect', 'error', 'close'] as const
    const release = (): void => {
      for (const event of settled) socket.off(event, release)
      place.release()
    }
    for (const event of settled) socket.once(event, release)
    return socket
  } catch {
    // No directory, or no path to it that a socket can have.
    return undefined
  }
}

/** The service of the server that runs on a data directory, or undefined when none answers; `close` only disconnects. */
export async function connectControl(
  directory: string,
  patienceMs = answerMs,
): Promise<Service | undefined> {
  const socket = open(directory)
  if (socket === undefined) return undefined
  if (!(await connected(socket))) {
    socket.destroy()
    return undefined
  }
  const channel = channelOf(socket)
  const lost = new Failure('LOG_STATE_UNKNOWN', 'Server went away before it answered')
  const service = connectService(channel, lost)
  if (!(await answers(service, patienceMs))) {
    socket.destroy()
    return undefined
  }
  return {
    ...service,
    close: () => {
      channel.close()
      return Promise.resolve()
    },
  }
}

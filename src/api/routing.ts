// Which route a request takes.
import type { Router } from 'hono/router'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import type { Route } from './route.ts'

/** A route and the parts of the path that it names. */
export interface Matched {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** The path in the router's own notation. */
const routerPath = (path: string): string =>
  path.replace('{path}', ':path{.+}').replaceAll(/\{(\w+)\}/g, ':$1')

const methods: readonly string[] = ['GET', 'POST', 'DELETE']

/** Finds routes by method and path. */
export class Routing {
  readonly #router: Router<Route> = new RegExpRouter()

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#router.add(route.method, routerPath(route.path), route)
  }

  match(method: string, path: string): Matched | undefined {
    const matched = this.#router.match(method, path)
    const values: readonly string[] = matched.length === 2 ? matched[1] : []
    const [first] = matched[0]
    if (first === undefined) return undefined
    const [route, places] = first
    const params: Record<string, string> = {}
    for (const [name, at] of Object.entries<string | number>(places))
      params[name] = typeof at === 'number' ? (values[at] ?? '') : at
    return { route, params }
  }

  /** The methods that a path takes. */
  methodsAt(path: string): readonly string[] {
    return methods.filter((method) => this.match(method, path) !== undefined)
  }
}

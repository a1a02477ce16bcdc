/** A thing some of whose methods are others; the rest are its own. */
export const replacing = <T extends object>(real: T, instead: Partial<T>): T =>
  new Proxy(real, {
    get(target, name) {
      if (Object.hasOwn(instead, name)) return Reflect.get(instead, name) as unknown
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

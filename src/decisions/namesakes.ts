// Who is whom. Names of actors come from requests, owners of API keys from whoever made them, ids from the roster: a person who is spelled otherwise in one
// of them is the same person all the same, and nobody answers what he has asked for himself. Evidence compares names byte for byte; these rules are the
// service's own and stricter. Letters of other scripts that look alike are not the same to them.

/** A name as people read it: another spelling is no other person. */
export const asRead = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .trim()
    .replace(/\s+/g, ' ')
    // By way of capitals: `ß` is `SS`, and `ς` is `σ`.
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')

/** Who may be behind a name: the whole of it, and what follows its prefixes, as in `user:ann` and `idp/ann`. */
const readings = (name: string): readonly string[] => {
  const read = asRead(name)
  return [read, asRead(read.slice(Math.max(read.lastIndexOf(':'), read.lastIndexOf('/')) + 1))]
}

/** Whether two names may be of one person. */
export function isNamesake(one: string, other: string): boolean {
  const others = readings(other)
  return readings(one).some((read) => read !== '' && others.includes(read))
}

/** The first of some names that may be of a person. */
export const namesakeOf = (person: string, names: readonly string[]): string | undefined =>
  names.find((name) => isNamesake(name, person))

/** Why a person may not answer what some have asked for, by another spelling too; undefined where nothing stands against it. */
export function sameAsAsker(person: string, askers: readonly string[]): string | undefined {
  const asker = namesakeOf(person, askers)
  return asker === undefined
    ? undefined
    : `Whoever asked may not answer, in whatever spelling: ${person} reads as ${asker}`
}

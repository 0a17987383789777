/** The category of an error, for callers that handle some errors. */
export type ErrorKind = 'input' | 'data' | 'weights' | 'network' | 'storage' | 'internal'

/**
 * The one error type that geogap throws on purpose. The message is one line, lower case, names the value and says what
 * exists. `code` is stable and meant for programs.
 */
export class GeogapError extends Error {
  readonly kind: ErrorKind
  readonly code: string

  constructor(details: { kind: ErrorKind; code: string; message: string; cause?: unknown }) {
    const { kind, code, message, cause } = details
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GeogapError'
    this.kind = kind
    this.code = code
  }
}

const errorOf =
  (kind: ErrorKind) =>
  (code: string, message: string, cause?: unknown): GeogapError =>
    new GeogapError({ kind, code, message, cause })

/** A wrong argument, name or file content given by the caller. */
export const inputError = errorOf('input')
/** A file or archive whose content is missing, damaged or not what it says it is. */
export const dataError = errorOf('data')
/** A weight file that cannot be read or does not fit its model. */
export const weightsError = errorOf('weights')
/** A hub, store or server that cannot be reached or refuses. */
export const networkError = errorOf('network')
/** A file system or store that cannot be read or written. */
export const storageError = errorOf('storage')
/** A mistake of geogap itself. */
export const internalError = errorOf('internal')

/** Returns the message of any thrown value. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Returns the first line of the message of any thrown value. */
export const firstLine = (error: unknown): string => messageOf(error).split('\n')[0]!

/** Quotes a name that came from a file, so that it fits one line of an error. */
export function quoteForMessage(name: string, limit = 80): string {
  const quoted = JSON.stringify(name.length > limit ? `${name.slice(0, limit)}…` : name)
  return quoted.replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?')
}

/** Escapes a name as `quoteForMessage` does, without quotes. */
export const escapeForMessage = (name: string, limit: number): string =>
  quoteForMessage(name, limit).slice(1, -1)

/** Returns the names closest to `name` by edit distance, nearest first. */
export function nearestNames(name: string, known: Iterable<string>, count = 3): string[] {
  const lowerCaseName = name.toLowerCase()
  return [...known]
    .map(candidate => ({
      candidate,
      distance: editDistance(lowerCaseName, candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

/** Returns the names that `name` may be a slip of: those that begin with it, or differ in a third of its letters at most. */
export function closeNames(name: string, known: Iterable<string>): string[] {
  const typed = name.toLowerCase()
  const isClose = (candidate: string): boolean =>
    candidate.toLowerCase().startsWith(typed) ||
    editDistance(typed, candidate.toLowerCase()) <= Math.max(1, typed.length / 3)
  return nearestNames(name, [...known].filter(isClose))
}

/** Returns an error such as `unknown model: resnet51; nearest: resnet50, resnet50d`. */
export function unknownNameError(what: string, name: string, known: Iterable<string>): GeogapError {
  const close = nearestNames(name, known)
  const hint = close.length > 0 ? `; nearest: ${close.join(', ')}` : '; none exist'
  return inputError(`unknown-${what.replaceAll(' ', '-')}`, `unknown ${what}: ${name}${hint}`)
}

/** Returns how many letters are put in, left out, replaced or swapped with the next one. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = isSwap ? before[j - 2]! + 1 : Infinity
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution, swap))
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}

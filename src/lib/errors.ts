/** The category of an error, for callers that handle some errors. */
export type ErrorKind = 'input' | 'data' | 'weights' | 'network' | 'storage' | 'internal'

/**
 * The one error type that geogap throws on purpose. The message is one line, lower case, names the value and says what
 * exists. `code` is stable and meant for programs.
 */
export class GeogapError extends Error {
  readonly kind: ErrorKind
  readonly code: string

  constructor(kind: ErrorKind, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'GeogapError'
    this.kind = kind
    this.code = code
  }
}

/** A wrong argument, name or file content given by the caller. */
export const inputError = (code: string, message: string): GeogapError =>
  new GeogapError('input', code, message)

/** A file or archive whose content is missing, damaged or not what it says it is. */
export const dataError = (code: string, message: string, cause?: unknown): GeogapError =>
  new GeogapError('data', code, message, cause === undefined ? undefined : { cause })

/** What an error of any kind says. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** The first line of it. */
export const firstLine = (error: unknown): string => messageOf(error).split('\n')[0]!

/** A name that came from a file, fit for one line of an error. */
export function quoteForMessage(name: string, limit = 80): string {
  const quoted = JSON.stringify(name.length > limit ? `${name.slice(0, limit)}…` : name)
  return quoted.replace(/[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '?')
}

/** The same without quotes. */
export const escapeForMessage = (name: string, limit: number): string =>
  quoteForMessage(name, limit).slice(1, -1)

/** The names closest to `name` by edit distance, nearest first. */
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

/** `unknown model: resnet51; nearest: resnet50, resnet50d` */
export function unknownNameError(what: string, name: string, known: Iterable<string>): GeogapError {
  const close = nearestNames(name, known)
  const hint = close.length > 0 ? `; nearest: ${close.join(', ')}` : '; none exist'
  return inputError(`unknown-${what.replaceAll(' ', '-')}`, `unknown ${what}: ${name}${hint}`)
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution))
    }
    previous = row
  }
  return previous[b.length]!
}

/**
 * Translates the names that other libraries give to the tensors of checkpoints to those of the reference libraries.
 * `libraries.tsv` tells a library by its names; the tables of `tensorNames.tsv` translate them.
 */
import { readTsv } from '../archive/tsv.ts'

/** How names become others; the first rule that fits is used. */
export type RenameRules = readonly (readonly [pattern: RegExp, replacement: string])[]

/** Returns a name after the first rule that fits, or as it is. */
export function renamed(name: string, rules: RenameRules): string {
  const rule = rules.find(([pattern]) => pattern.test(name))
  return rule ? name.replace(rule[0], rule[1]) : name
}

/** How a library other than the reference library names the tensors of its checkpoints. */
export interface ForeignNames {
  library: string
  /** A name that only this library has. */
  mark: RegExp
  /** Architectures that give equal outputs; a `*` stands for any part. */
  architectures: readonly string[]
  /** Tables that rename its tensors, one after another; none if no architecture gives equal outputs. */
  tables: readonly string[]
  /** Epsilon of its batch normalization. */
  epsilon: number
  /** Why no architecture gives equal outputs. */
  reason: string
}

/** What of a tensor stands under a new name, if not all of it. */
const changes = ['transposed', 'zeros', 'first added', 'others', 'trained'] as const

/** A new name, and what of the tensor stands under it: some of its rows, all of it as one piece of several, or a change of it. */
export interface NewName {
  name: string
  rows?: { from: number; to: number; of: number }
  piece?: number
  change?: (typeof changes)[number]
}

interface NameRow {
  pattern: RegExp
  /** The new names; none if the tensor is not used. */
  names: readonly string[]
}

/** Returns the pattern that a left side stands for at the start of a name: `#` is a number, a dot stands for itself. */
const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/(?<!\()\.(?![*+])/g, '\\.').replaceAll('#', '(\\d+)')}`)

const words = (text: string): string[] => text.split(' ').filter(word => word !== '')

let cachedLibraries: readonly ForeignNames[] | undefined

function libraries(): readonly ForeignNames[] {
  type Column = 'library' | 'mark' | 'tables' | 'architectures' | 'epsilon' | 'reason'
  return (cachedLibraries ??= readTsv<Column>(new URL('./libraries.tsv', import.meta.url)).map(
    row => ({
      library: row.library,
      mark: patternOf(row.mark),
      tables: words(row.tables),
      architectures: words(row.architectures),
      epsilon: Number(row.epsilon || 1e-5),
      reason: row.reason,
    }),
  ))
}

let cachedTables: ReadonlyMap<string, readonly NameRow[]> | undefined

function tables(): ReadonlyMap<string, readonly NameRow[]> {
  if (cachedTables) return cachedTables
  const found = new Map<string, NameRow[]>()
  let rows: NameRow[] = []
  const file = new URL('./tensorNames.tsv', import.meta.url)
  for (const { table, theirs, ours } of readTsv<'table' | 'theirs' | 'ours'>(file)) {
    if (table !== '') found.set(table, (rows = []))
    rows.push({ pattern: patternOf(theirs), names: ours === '-' ? [] : ours.split(' & ') })
  }
  return (cachedTables = found)
}

/** Returns whether an architecture's name is of a pattern, in which a `*` stands for any part. */
export const suits = (architecture: string, pattern: string): boolean =>
  new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(architecture)

/** Returns the library whose names these are, the row of the architecture if there is one; undefined if none is known. */
export function foreignLibrary(
  names: readonly string[],
  architecture: string,
): ForeignNames | undefined {
  const first = libraries().find(({ mark }) => names.some(name => mark.test(name)))
  const fits = ({ library, architectures }: ForeignNames): boolean =>
    library === first?.library && architectures.some(pattern => suits(architecture, pattern))
  const known = libraries().find(fits)
  const others = libraries().filter(({ library }) => library === first?.library)
  return (
    known ??
    (first && {
      ...first,
      tables: [],
      architectures: others.flatMap(({ architectures }) => architectures),
    })
  )
}

/**
 * Returns the new names of a tensor after the tables. `places` are the numbers of stage and block, as `0.1`, of all blocks in
 * order, by the name of their list.
 */
export function foreignNames(
  name: string,
  { tables: passes }: Pick<ForeignNames, 'tables'>,
  places: (list: string) => readonly string[],
): NewName[] {
  let found: NewName[] = [{ name }]
  for (const pass of passes)
    found = found.flatMap(one => {
      const row = tables()
        .get(pass)!
        .find(({ pattern }) => pattern.test(one.name))
      return row ? row.names.map(to => newName(one, { ...row, to }, places)) : [one]
    })
  return found
}

function newName(
  one: NewName,
  { pattern, to }: { pattern: RegExp; to: string },
  places: (list: string) => readonly string[],
): NewName {
  const [template, what] = to.split(/ \{|\}/, 2) as [string, string?]
  const parts = pattern.exec(one.name)!
  const start = template.replaceAll(
    /\$(\d)|<(\d)([-+/]\d+)?(@\w+)?>/g,
    (_, ...[plain, part, step, list]: (string | undefined)[]) => {
      if (plain !== undefined) return parts[Number(plain)] ?? ''
      const number = shifted(Number(parts[Number(part)]), step)
      return list === undefined ? String(number) : (places(list.slice(1))[number] ?? `${number}?`)
    },
  )
  const change = changes.find(one => one === what)
  const piece = /^piece (\d+)$/.exec(what ?? '')?.[1]
  const [, from, last = from, of] = /^(\d+)(?:-(\d+))?\/(\d+)$/.exec(what ?? '') ?? []
  return {
    ...one,
    name: start + one.name.slice(parts[0].length),
    ...(piece !== undefined && { piece: Number(piece) }),
    ...(of !== undefined && {
      rows: { from: Number(from), to: Number(last) + 1, of: Number(of) },
    }),
    ...(change && { change }),
  }
}

function shifted(number: number, step: string | undefined): number {
  const by = Number(step?.slice(1) ?? 0)
  if (step?.startsWith('/')) return Math.floor(number / by)
  return step?.startsWith('-') ? number - by : number + by
}

const shownArchitectures = 8

/** Returns what to do about names of another library, for the end of a message. */
export function foreignAdvice({
  library,
  tables: known,
  architectures,
  reason,
}: ForeignNames): string {
  const whose = `the names are those of ${library}`
  if (known.length > 0) return whose
  if (architectures.length === 0)
    return `${whose}, and ${reason}${reason.includes(': ') ? '' : ': export the model to ONNX there, then geogap models describe FILE.onnx'}`
  const shown = architectures.slice(0, shownArchitectures).join(', ')
  const more = architectures.length - shownArchitectures
  const why = reason === '' ? '' : `; ${reason}`
  return `${whose}, which are renamed for ${shown}${more > 0 ? ` and ${more} more` : ''}${why}`
}

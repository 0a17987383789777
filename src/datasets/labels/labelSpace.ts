import {
  type GeogapError,
  inputError,
  quoteForMessage,
  unknownNameError,
} from '../../lib/errors.ts'
import { parseJson } from '../../lib/archive/json.ts'
import { parsePythonItems, rawCellText } from '../readTable.ts'
import { imagenetClasses, imagenetNames, indexOfWnid } from './imagenet.ts'

/** The classes that labels index into, and how a written label becomes class indices. */
export interface LabelSpace {
  kind: 'imagenet-1k' | 'own'
  classes: readonly string[]
  /** Returns the class indices of one written label: an index, a name or a wnid. Throws for any other. */
  resolve: (written: string) => readonly number[]
}

/** Names compare without case, with `_` as a space, and however their accents are written. */
export const normalizeLabel = (name: string): string =>
  name.normalize('NFC').trim().toLowerCase().replaceAll('_', ' ').replace(/\s+/g, ' ')

function indexByName(entries: Iterable<readonly [string, number]>): Map<string, number[]> {
  const byName = new Map<string, number[]>()
  for (const [name, position] of entries) {
    const known = byName.get(name)
    if (!known) byName.set(name, [position])
    else if (!known.includes(position)) known.push(position)
  }
  return byName
}

let lookups: readonly Map<string, number[]>[] | undefined

/** Positions by the short names as written, by the short names without regard to case, and by the further synonyms. */
function nameLookups(): readonly Map<string, number[]>[] {
  const shortNames = imagenetClasses.flatMap(({ name, synonyms }, i) =>
    [name, synonyms[0]!].map(n => [n, i] as const),
  )
  const synonyms = imagenetClasses.flatMap((c, i) =>
    c.synonyms.map(s => [normalizeLabel(s), i] as const),
  )
  return [
    indexByName(shortNames),
    indexByName(shortNames.map(([name, i]) => [normalizeLabel(name), i])),
    indexByName(synonyms),
  ]
}

/**
 * Class indices of an ImageNet name. Short names come first, as written (`Cardigan` is a dog, `cardigan` a garment) and
 * then without regard to case, further synonyms last. More than one where ImageNet itself repeats the name (`crane`), of
 * which `crane2` is the second; empty when there is none.
 */
export function imagenetIndices(name: string): readonly number[] {
  const [exact, loose, further] = (lookups ??= nameLookups())
  const found =
    exact!.get(name) ?? loose!.get(normalizeLabel(name)) ?? further!.get(normalizeLabel(name))
  if (found) return found
  const { stem, number } = numberedName(name)
  const repeated = stem === name ? [] : imagenetIndices(stem)
  return repeated.length > 1 ? repeated.slice(number - 1, number) : []
}

/** Splits a name that a list numbers because it has it twice: `crane2` is the second `crane`; other names have number 1. */
export function numberedName(name: string): { stem: string; number: number } {
  const [, stem, number] = /^(.*[^\s_\d(])[\s_]?\(?([2-9])\)?$/.exec(name.trim()) ?? []
  return stem === undefined ? { stem: name, number: 1 } : { stem, number: Number(number) }
}

/** A wnid, alone or before a name: `n01440764`, `n01440764 tench, Tinca tinca`, `n01440764_tench`. */
const wnidPattern = /^(n\d{8})(?:[\s_:,-].*)?$/s

function resolveImageNet(written: string): readonly number[] {
  const wnid = wnidPattern.exec(written)?.[1]
  if (wnid !== undefined) {
    const position = indexOfWnid(wnid)
    if (position === undefined)
      throw inputError('unknown-wnid', `unknown wnid: ${wnid}; not among ImageNet's 1,000`)
    return [position]
  }
  const asIndex = parseClassIndex(written, imagenetNames.length)
  if (asIndex !== undefined) return [asIndex]
  const found = imagenetIndices(written)
  if (found.length === 1) return found
  if (found.length === 0) {
    const { code, message } = unknownNameError('class', written, imagenetNames)
    const hint = /\.[nvasr]\.\d\d$/.test(written)
      ? 'names of WordNet synsets depend on its version: use wnids (n01440764)'
      : 'class names of your own come from a file (--classes FILE)'
    throw inputError(code, `${message}; ${hint}`)
  }
  const which = found
    .map(i => `${imagenetClasses[i]!.wnid} (${imagenetClasses[i]!.synonyms.join(', ')})`)
    .join(', ')
  throw inputError(
    'ambiguous-class',
    `class name ${written} stands for several classes; use one of: ${which}`,
  )
}

/** ImageNet's 1,000 classes: labels are indices, wnids, names or synonyms. */
export const imagenetSpace: LabelSpace = {
  kind: 'imagenet-1k',
  classes: imagenetNames,
  resolve: resolveImageNet,
}

/** A label set of any size: labels are names (exact, else without regard to case) or indices. */
export function ownSpace(classes: readonly string[]): LabelSpace {
  const exact = indexByName(classes.map((name, i) => [name, i]))
  const loose = indexByName(classes.map((name, i) => [normalizeLabel(name), i]))
  const [repeated] = [...exact].find(([, positions]) => positions.length > 1) ?? []
  if (repeated !== undefined)
    throw inputError('duplicate-class', `class name given twice: ${repeated}`)
  const resolve = (written: string): readonly number[] => {
    const found = exact.get(written) ?? loose.get(normalizeLabel(written))
    if (found?.length === 1) return found
    const asIndex = parseClassIndex(written, classes.length)
    if (asIndex === undefined) throw unknownClassError(written, classes)
    return [asIndex]
  }
  return { kind: 'own', classes, resolve }
}

/** Longest class list that an error repeats. */
const maxListedClasses = 12

const unknownClassError = (written: string, classes: readonly string[]): GeogapError =>
  classes.length > maxListedClasses
    ? unknownNameError('class', written, classes)
    : inputError(
        'unknown-class',
        `unknown class: ${written}; the class list has ${classes.join(', ')}`,
      )

function parseClassIndex(written: string, count: number): number | undefined {
  if (!/^\d+$/.test(written)) return undefined
  const position = Number(written)
  if (position >= count) {
    throw inputError(
      'unknown-class',
      `class index ${written} is out of range: there are ${count} classes, 0 to ${count - 1}${position === count ? '; do the labels count from 1?' : ''}`,
    )
  }
  return position
}

/**
 * Returns the labels written in one cell: a JSON list, a list as Python or NumPy prints it, a list separated by `;` or `|`,
 * or a single label (class names may contain commas, so a comma does not separate). pandas' `851.0` is the index 851; `-1`,
 * the mark of an image whose label is hidden, is no label.
 */
export function parseLabels(cell: unknown): string[] {
  return listItems(cell).flatMap(item => {
    const written = String(item).trim()
    const label = item === null ? '' : written
    if (label === '' || /^-1(\.0+)?$/.test(label)) return []
    return /^\d+\.0+$/.test(label) ? label.slice(0, label.indexOf('.')) : label
  })
}

/** Returns the items of a list, which a table holds or writes as a text as `parseLabels` reads it; null for missing ones. */
export function listItems(cell: unknown): unknown[] {
  if (Array.isArray(cell)) return cell
  if (cell instanceof Uint8Array) return listItems(rawCellText(cell))
  if (ArrayBuffer.isView(cell)) return [...(cell as Float64Array)]
  if (typeof cell === 'number' || typeof cell === 'bigint') return [cell]
  if (typeof cell === 'object' && cell !== null && 'items' in cell) return cell.items as unknown[]
  if (typeof cell === 'boolean') return [cell]
  if (typeof cell === 'object' && cell !== null)
    throw inputError(
      'bad-label',
      `a label is an object: ${quoteForMessage(rawCellText(cell) ?? '')}; give the class itself, as a name or an index`,
    )
  if (typeof cell !== 'string') return []
  const text = cell.trim()
  if (!/^(\[.*\]|\(.*\)|\{.*\})$/s.test(text)) return separatedItems(text)
  const list = parseJson(text)
  if (Array.isArray(list)) return list
  return text.startsWith('[') || /^.\s*['"\d]/.test(text)
    ? parsePythonItems(text)
    : separatedItems(text)
}

/** Splits a text at `;` or `|`, of which one may end it. */
const separatedItems = (text: string): string[] =>
  text
    .replace(/[;|]?\s*$/, '')
    .split(/[;|]/)
    .filter((item, _, all) => all.length > 1 || item !== '')

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { LabelMap } from '../dataset.ts'
import { parseJson, readJson } from '../../lib/archive/json.ts'
import { imagenetSpace, ownSpace, normalizeLabel, type LabelSpace } from './labelSpace.ts'

/** The schema of objects of lists of names or numbers, such as label maps and region schemes. */
export const nameListsSchema = z.record(
  z.string(),
  z.array(z.union([z.string(), z.number()]).transform(String)),
)

/** How a benchmark's own labels become accepted class indices. */
export interface Labelling {
  space: LabelSpace
  labelMap: LabelMap
  /** Accepted class indices; empty for a label that has none among the classes, undefined for one that is not known. */
  accepted: (label: string) => readonly number[] | undefined
}

/** `original`: the data set's own labels; `imagenet`: the benchmark's own map; else a shipped map's name or a label map file. */
export type LabelsOption = string

/** Names of the shipped label maps. */
export const shippedMaps: readonly string[] = ['dollarstreet-paper', 'geode-paper']

interface LabelMapFile {
  name: string
  labels: Readonly<Record<string, readonly (string | number)[]>>
}

const readShippedMap = (file: string): LabelMapFile =>
  readJson(new URL(`./${file}.json`, import.meta.url)) as LabelMapFile

/** The own labels that a shipped map knows, sorted: the choices of zero-shot models on that benchmark. */
export const ownLabels = (file: string): string[] => Object.keys(readShippedMap(file).labels).sort()

/** The labelling that `labels` asks for, `file` being the benchmark's shipped map (`geode-paper`). */
export async function labelling(
  file: string,
  labels: LabelsOption = 'imagenet',
): Promise<Labelling> {
  if (labels === 'original') return originalLabelling(ownLabels(file))
  return labels === 'imagenet'
    ? toLabelling(readShippedMap(file))
    : toLabelling(await readMapFile(labels))
}

/** A label map file alone, with the labels that it knows. */
export async function fileLabelling(
  file: string,
): Promise<Labelling & { knownLabels: readonly string[] }> {
  const read = await readMapFile(file)
  return { ...toLabelling(read), knownLabels: Object.keys(read.labels) }
}

/** Each own label accepts itself, in the order given. */
export function originalLabelling(labels: readonly string[]): Labelling {
  const space = ownSpace(labels)
  const byName = new Map(labels.map((label, i) => [normalizeLabel(label), [i]]))
  return {
    space,
    labelMap: { name: 'original', hash: sha256(JSON.stringify(labels)) },
    accepted: label => byName.get(normalizeLabel(label)),
  }
}

const toLabelling = ({ name, labels }: LabelMapFile): Labelling =>
  pairLabelling(
    name,
    Object.entries(labels).map(([label, classes]) => [
      label,
      classes.flatMap(c => imagenetSpace.resolve(String(c))),
    ]),
  )

/** Returns the labelling of own labels with the ImageNet classes that each accepts. */
export function pairLabelling(
  name: string,
  pairs: readonly (readonly [label: string, indices: readonly number[]])[],
): Labelling {
  const resolved = pairs.map(([label, indices]) => [normalizeLabel(label), indices] as const)
  const byName = new Map(resolved)
  return {
    space: imagenetSpace,
    labelMap: {
      name,
      hash: sha256(JSON.stringify([...resolved].sort(([a], [b]) => (a < b ? -1 : 1)))),
    },
    accepted: label => byName.get(normalizeLabel(label)),
  }
}

/** Reads a shipped map by its name, or a label map file: `{"name": …, "labels": {"own label": ["class name, wnid or index", …]}}`. */
async function readMapFile(file: string): Promise<LabelMapFile> {
  if (shippedMaps.includes(file)) return readShippedMap(file)
  const text = await readFile(file, 'utf8').catch(() => {
    throw inputError(
      'missing-file',
      `no such label map: ${file}; known: original, imagenet, ${shippedMaps.join(', ')}, or a file`,
    )
  })
  const { success, data } = labelMapFileSchema.safeParse(parseJson(text))
  if (!success)
    throw inputError(
      'bad-label-map',
      `not a label map: ${file}; expected {"labels": {"label": ["class", …]}}`,
    )
  return { name: data.name ?? file, labels: data.labels }
}

const labelMapFileSchema = z.object({ name: z.string().optional(), labels: nameListsSchema })

/** Whether two lists accept the same classes, in any order. */
export const hasSameIndices = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every(index => b.includes(index))

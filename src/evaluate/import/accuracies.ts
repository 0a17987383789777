/** Reads published accuracies: timm's results files, OpenCLIP's results table, or `model,benchmark,accuracy,n`. */
import { ownValue } from '../../lib/ownValue.ts'
import { basename } from 'node:path'
import { benchmarkName } from '../../datasets/benchmarks/index.ts'
import { type RawTable, rawCellText } from '../../datasets/readTable.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { modelNames } from '../../models/catalog.ts'
import { type ImportedAccuracy } from '../../results/importedAccuracies.ts'

export interface AccuracyImport {
  format: 'timm' | 'open_clip' | 'generic'
  rows: ImportedAccuracy[]
  /** The model and benchmark of each row that repeats an earlier one, which counts. */
  repeated: string[]
}

/** Benchmarks by the ending of timm's file names. */
const timmBenchmarks: Readonly<Record<string, string>> = {
  imagenet: 'imagenet-1k',
  'imagenetv2-matched-frequency': 'imagenet-v2',
  sketch: 'imagenet-sketch',
  'imagenet-r': 'imagenet-r',
  'imagenet-a': 'imagenet-a',
}

/** Benchmarks by OpenCLIP's column; the last two are DataComp's subsets, which are benchmarks of their own. */
const openClipBenchmarks: Readonly<Record<string, string>> = {
  'ImageNet 1k': 'imagenet-1k',
  'ImageNet v2': 'imagenet-v2',
  'ImageNet Sketch': 'imagenet-sketch',
  'ImageNet-R': 'imagenet-r',
  'ImageNet-A': 'imagenet-a',
  ObjectNet: 'objectnet',
  'Dollar Street': 'dollarstreet-datacomp',
  GeoDE: 'geode-datacomp',
}

const hasColumns = (columns: readonly string[], ...names: readonly string[]): boolean =>
  names.every(name => columns.includes(name))

/** Returns undefined if the table holds no accuracies. @throws GeogapError `bad-accuracy`, `unknown-timm-file` */
export function readAccuracies(
  file: string,
  { columns, rows }: RawTable,
): AccuracyImport | undefined {
  const source = basename(file)
  if (hasColumns(columns, 'model', 'benchmark', 'accuracy'))
    return withoutRepeats(
      'generic',
      rows.map((row, i) => genericRow(row, `${file}, row ${i + 1}`, source)),
    )
  if (hasColumns(columns, 'model', 'top1', 'img_size')) {
    const benchmark = timmBenchmark(source)
    const found = rows.map((row, i): ImportedAccuracy => {
      const accuracy = parseAccuracy(row['top1'], 100, `${file}, row ${i + 1}`)
      const model = rawCellText(row['model']) ?? ''
      const imageSize = wholeNumber(row['img_size'], 'img_size', `${file}, row ${i + 1}`)
      return { model, benchmark, accuracy, n: null, kind: '1K', imageSize, source }
    })
    return withoutRepeats('timm', found)
  }
  if (hasColumns(columns, 'name', 'pretrained', 'ImageNet 1k'))
    return withoutRepeats('open_clip', rows.flatMap(openClipRow(file)))
  return undefined
}

function timmBenchmark(name: string): string {
  const part = /results-(.+)\.csv$/.exec(name)?.[1] ?? name
  const benchmark = ownValue(timmBenchmarks, part)
  if (benchmark === undefined)
    throw unknownNameError(
      'timm file',
      name,
      Object.keys(timmBenchmarks).map(ending => `results-${ending}.csv`),
    )
  return benchmark
}

function genericRow(row: Record<string, unknown>, where: string, source: string): ImportedAccuracy {
  const n = wholeNumber(row['n'], 'n', where)
  const model = rawCellText(row['model'])?.trim()
  const written = rawCellText(row['benchmark'])?.trim()
  if (!model || !written)
    throw inputError('bad-accuracy', `${!model ? 'model' : 'benchmark'} is empty: ${where}`)
  const accuracy = parseAccuracy(row['accuracy'], 1, where)
  const benchmark = benchmarkName(written)
  return { model, benchmark, accuracy, n, kind: null, imageSize: null, source }
}

/** Returns a whole number from 1; null for an empty cell. */
function wholeNumber(cell: unknown, name: string, where: string): number | null {
  const written = rawCellText(cell)?.trim()
  if (!written) return null
  const value = Number(written)
  if (Number.isInteger(value) && value > 0) return value
  throw inputError('bad-accuracy', `${name} is ${written}, not a whole number from 1: ${where}`)
}

function openClipRow(
  file: string,
): (row: Record<string, unknown>, i: number) => ImportedAccuracy[] {
  return (row, i) =>
    Object.entries(openClipBenchmarks).flatMap(([column, benchmark]) => {
      if (rawCellText(row[column]) === null) return []
      const accuracy = parseAccuracy(row[column], 1, `${file}, row ${i + 1}, ${column}`)
      const [name, tag] = ['name', 'pretrained'].map(key => rawCellText(row[key]) ?? '')
      const model = openClipName(name!, tag!)
      return {
        model,
        benchmark,
        accuracy,
        n: null,
        kind: 'zero-shot' as const,
        imageSize: null,
        source: basename(file),
      }
    })
}

/** Returns the catalogue's name. OpenCLIP runs OpenAI's weights with QuickGELU under either name. */
function openClipName(name: string, tag: string): string {
  const known = new Set(modelNames())
  const plain = `clip:${name}/${tag}`
  const quick = `clip:${name}-quickgelu/${tag}`
  return known.has(quick) && (tag === 'openai' || !known.has(plain)) ? quick : plain
}

function parseAccuracy(cell: unknown, scale: number, where: string): number {
  const written = rawCellText(cell)?.trim() || null
  const value = written === null ? NaN : Number(written) / scale
  if (value >= 0 && value <= 1) return value
  throw inputError(
    'bad-accuracy',
    `accuracy is ${written ?? 'empty'}, not in 0 … ${scale}: ${where}`,
  )
}

function withoutRepeats(
  format: AccuracyImport['format'],
  rows: readonly ImportedAccuracy[],
): AccuracyImport {
  const known = new Map<string, ImportedAccuracy>()
  const repeated: string[] = []
  for (const row of rows) {
    const { model, benchmark, imageSize } = row
    const key = JSON.stringify([model, benchmark, imageSize])
    if (known.has(key)) repeated.push(`${model} on ${benchmark}`)
    else known.set(key, row)
  }
  return { format, rows: [...known.values()], repeated }
}

/*
 * Writes test/models/families/expected.jsonl: for every family, the golden case with the fewest parameters, without the tensors
 * that its graph determines, so that a clone alone can be checked against the reference libraries.
 *
 *   npx tsx scripts/expectedOutputs.ts FOLDER...
 */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { renamed } from '../src/lib/tensors/otherLibraries.ts'
import {
  architectureOfCase,
  type GoldenCase,
  type GoldenFile,
  graphOf,
  readGoldenFile,
} from './conformanceCase.ts'
import { volume } from '../src/lib/onnx/shapes.ts'
import { type ExpectedCase, formulaOf } from './expectedCase.ts'

const folders = process.argv.slice(2)
if (folders.length === 0) {
  process.stderr.write('usage: npx tsx scripts/expectedOutputs.ts FOLDER...\n')
  process.exit(2)
}

/** The most parameters of a case that is kept. */
const largest = 4e7

/** Every tenth logit is kept. */
const every = 10

const candidates: GoldenFile[] = []
for (const folder of folders)
  for (const file of (await readdir(folder)).filter(name => name.endsWith('.json'))) {
    const golden = readGoldenFile(join(folder, file))
    const isClassifier = architectureOfCase(golden)?.kind === 'classifier'
    if (isClassifier && golden.outputs.logits && golden.params <= largest) candidates.push(golden)
  }

const lines = new Map<string, string>()
for (const golden of candidates.sort((a, b) => a.params - b.params)) {
  const { family } = architectureOfCase(golden)!
  const expected = lines.has(family) ? undefined : expectedOf(golden)
  if (expected) lines.set(family, JSON.stringify(expected))
}
await writeFile(
  new URL('../test/models/families/expected.jsonl', import.meta.url),
  `${[...lines.values()].sort().join('\n')}\n`,
)
process.stdout.write(`${lines.size} families\n`)

/** Returns a case without the tensors that its graph determines; undefined if a tensor follows no formula. */
function expectedOf(golden: GoldenCase): ExpectedCase | undefined {
  const architecture = architectureOfCase(golden)!
  const { parameters } = graphOf(architecture, golden.input.size)
  const given = new Map(
    golden.tensors.map(tensor => [renamed(tensor.name, architecture.names.rename ?? []), tensor]),
  )
  const formulas: ExpectedCase['formulas'] = {}
  const names: ExpectedCase['names'] = {}
  const values: Record<string, number[]> = {}
  for (const [name, parameter] of parameters) {
    const tensor = given.get(name)
    if (tensor === undefined) return undefined
    if (tensor.name !== name) names[name] = tensor.name
    if (tensor.values?.length === volume(tensor.shape)) {
      values[name] = tensor.values
      continue
    }
    if (tensor.center === undefined || tensor.radius === undefined) return undefined
    const [center, radius] = formulaOf(parameter)
    if (tensor.center !== center || tensor.radius !== radius)
      formulas[name] = [tensor.center, tensor.radius]
  }
  const logits = golden.outputs.logits!.map(row => row.filter((_, i) => i % every === 0))
  const own = Object.keys(values).length > 0 ? { values } : {}
  return { model: golden.model, input: golden.input, every, names, formulas, ...own, logits }
}

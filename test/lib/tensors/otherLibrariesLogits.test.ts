import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkCase, graphOf } from '../../../scripts/conformanceCase.ts'
import { type FormulaTensor, writeFormulaWeights } from '../../../scripts/formula.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { readParameters } from '../../../src/lib/tensors/bindWeights.ts'
import { readSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'

interface LibraryCase {
  library: string
  model: string
  size: number
  logits: number[]
  deviation: number
  tensors: FormulaTensor[]
}

/** Values as the file was made with: a variance around 1, weights by their inputs, factors around 1, all others around 0. */
function formulaTensor(name: string, shape: number[]): FormulaTensor {
  if (name.endsWith('running_var')) return { name, shape, center: 1, radius: 0.5 }
  const inputs = volume(shape.slice(1))
  if (shape.length > 1 && inputs > 1) return { name, shape, radius: Math.sqrt(3 / inputs) }
  const center = /(bias|running_mean|_token)$/.test(name) ? 0 : 1
  return { name, shape, center, radius: 0.1 }
}

function readCases(): LibraryCase[] {
  const cases: LibraryCase[] = []
  const text = readFileSync(new URL('./libraryCases.tsv', import.meta.url), 'utf8')
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('#')) continue
    const [library, ...cells] = line.split('\t') as [string, string, string, string?, string?]
    if (library !== '') {
      const [model, size, logits, deviation] = cells
      cases.push({
        library,
        model,
        size: Number(size),
        logits: (logits ?? '').split(' ').map(Number),
        deviation: Number(deviation),
        tensors: [],
      })
      continue
    }
    const [template, shape, numbers = ''] = cells
    const [, start, ends] = /^(.*?)([^.]*)$/.exec(template)!
    const sizes = shape === '' ? [] : shape.split(',').map(Number)
    for (const one of numbers.split(' '))
      for (const end of ends!.split('|')) {
        const parts = one.split('.')
        const name = `${start}${end}`.replaceAll('#', () => parts.shift()!)
        cases.at(-1)!.tensors.push(formulaTensor(name, sizes))
      }
  }
  return cases
}

const cases = readCases()

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-libraries-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it.each(cases.map(one => [one.library, one.model, one] as const))(
  "%s's logits are those of %s",
  async (library, model, { size, tensors, logits, deviation }) => {
    const input = { name: 'public', batch: 1, size }
    const golden = { model, input, tensors, outputs: { logits: [logits] }, every: 250 }
    const { worst } = await checkCase(golden, folder)
    const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length
    const spread = Math.sqrt(
      logits.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logits.length,
    )
    expect((worst * spread) / deviation, library).toBeLessThan(1e-4)
  },
  60_000,
)

it('names fit no architecture of another padding or epsilon', async () => {
  const { tensors } = cases.find(({ library }) => library === 'torchvision efficientnet_b0')!
  const file = join(folder, 'b0.safetensors')
  await writeFormulaWeights(file, tensors)
  const architecture = findArchitecture('tf_efficientnet_b0')
  await expect(
    readParameters(graphOf(architecture, 64), [await readSafetensors(file)], architecture.names),
  ).rejects.toThrow(
    /the names are those of torchvision's EfficientNet, which are renamed for efficientnet_b0, .*, efficientnet_b5$/,
  )
})

import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { imagenetNames } from '../../src/datasets/labels/imagenet.ts'
import { modelCost } from '../../src/models/modelCost.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { timmModels } from '../../src/models/tags.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { long } from '../helpers/torture.ts'
import { classes, writeWorld } from '../helpers/world.ts'

/** Or as many as the full test takes: `GEOGAP_MANY_MODELS=30`. */
const count = Number(process.env.GEOGAP_MANY_MODELS ?? (long ? 8 : 6))

/** A small architecture as a model whose crops no other model shares, so that it is loaded alone. */
const spec = (folder: string, architecture: string, i: number): ModelSpec => ({
  name: architecture,
  architecture,
  classes,
  recipe: {
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    interpolation: 'bilinear',
    cropPct: 1,
    size: 224,
    resize: 224 + i,
  },
  weights: { from: 'files', files: [join(folder, `${architecture}.safetensors`)] },
})

const smallest = (folder: string): ModelSpec[] =>
  [
    ...new Set(
      timmModels()
        .filter(({ recipe }) => recipe.size === 224)
        .map(({ architecture }) => architecture),
    ),
  ]
    .map(name => spec(folder, name, 0))
    // With 1,000 classes the cost is known, and no graph has to be built for it.
    .map(model => ({ model, cost: modelCost({ ...model, classes: imagenetNames }).parameters }))
    .sort((a, b) => a.cost - b.cost)
    .slice(0, count)
    .map(({ model }, i) => spec(folder, model.name, i))

it(`the memory of the parent stays flat over ${count} models in one run`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-many-'))
  try {
    const manifest = await writeWorld(folder, 3)
    await mkdir(join(folder, 'weights'))
    const models = smallest(join(folder, 'weights'))
    for (const { architecture, weights } of models) {
      if (weights.from === 'files')
        await writeSafetensors(weights.files[0]!, initialWeights(architecture, 3, 1))
    }
    const options = join(folder, 'options.json')
    const datasets = [{ name: manifest, classes: join(folder, 'classes.txt') }]
    await writeFile(options, JSON.stringify({ models, datasets, out: join(folder, 'results') }))
    const child = builtPath('test/evaluate/manyModels.child.ts')
    const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', child, options], {
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    const { used, rows, failures } = JSON.parse(stdout) as {
      used: number[]
      rows: number
      failures: unknown[]
    }
    expect([used.length, rows, failures]).toEqual([count, count, []])
    const [settled, largest] = [Math.min(...used.slice(1, 4)), Math.max(...used.slice(4))]
    const figures = [used[0]!, settled, largest, used.at(-1)!].map(
      bytes => `${(bytes / 1e6).toFixed(0)} MB`,
    )
    console.log(
      `parent, after the 1st model, least of 2 to 4, largest after, last: ${figures.join(', ')}`,
    )
    expect(largest / settled).toBeLessThan(1.1)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 1_200_000)

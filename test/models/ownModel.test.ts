import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { dryRun } from '../../src/evaluate/evaluate.ts'
import { extractFeatures } from '../../src/evaluate/workers/extractFeatures.ts'
import { type InferenceGroup } from '../../src/evaluate/workers/messages.ts'
import { type Predictions } from '../../src/results/predictions.ts'
import { runShards } from '../../src/evaluate/workers/pool.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { stepsFor } from '../../src/evaluate/jobs.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { resolveModels } from '../../src/evaluate/targets.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { classes, writeWorld } from '../helpers/world.ts'
import { colourGraph, type Form, headBytes, writeForeign } from './onnx/foreignGraph.ts'

const pool = reloadingPool()
const evaluate = pooledEvaluate(pool)

let folder: string
let manifest: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-own-'))
  manifest = await writeWorld(folder, 12)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const dataset = () => ({ name: manifest, classes: join(folder, 'classes.txt') })
const ready = async (path: string) => prepareModel(await loadModelSpec(path))

describe('a graph made elsewhere', () => {
  const forms: Record<string, Form> = {
    'channels first, logits': {},
    'channels last, bytes, probabilities': {
      layout: 'NHWC',
      dtype: 'uint8',
      kind: 'probabilities',
      size: 'side',
    },
    'half precision, one image at a time': { dtype: 'float16', batch: 1 },
    'weights in a file beside it': { external: 'parts/head.bin' },
  }
  for (const [name, form] of Object.entries(forms)) {
    it(`is evaluated as a catalogue model is: ${name}`, async () => {
      const place = join(folder, name.replaceAll(/\W+/g, '-'))
      await writeForeign(place, form)
      const out = join(place, 'results')
      const run = await evaluate({ models: [place], datasets: [dataset()], out })
      expect(run.failures).toEqual([])
      expect(run.accuracy()[0]).toMatchObject({
        model: name.replaceAll(/\W+/g, '-'),
        n: 12,
        errors: 0,
        top1: 1,
      })
    })
  }

  it('gives its embedding as features', async () => {
    const file = await writeForeign(join(folder, 'embedding'), { kind: 'embedding' })
    const spec = await loadModelSpec(file)
    const { samples: items } = await openDataset(dataset())
    const steps = stepsFor(spec.recipe, 'native', undefined)
    const [features] = await extractFeatures([(await prepareModel(spec)).model], steps, items)
    expect(features!.width).toBe(3)
    expect(features!.values[0]).toBeCloseTo(10 * ((220 / 255 - 0.5) / 0.5), 4)
    expect(features!.values[1]).toBeCloseTo(10 * ((20 / 255 - 0.5) / 0.5), 4)
    await expect(evaluate({ models: [file], datasets: [dataset()], out: folder })).rejects.toThrow(
      /no classes/,
    )
  })

  it('whose embedding is not a number has features of no image', async () => {
    const place = join(folder, 'nan')
    const { model } = await ready(
      await writeForeign(place, { kind: 'embedding', external: 'head.bin' }),
    )
    await writeFile(join(place, 'head.bin'), headBytes().fill(0xff, 0, 4))
    const { samples: items } = await openDataset(dataset())
    const steps = stepsFor((await loadModelSpec(place)).recipe, 'native', undefined)
    const group: InferenceGroup = {
      models: [model],
      steps,
      choices: 'none',
      keep: 'features',
      batch: 4,
      threads: 1,
    }
    const seen: Predictions[] = []
    await runShards(group, [{ items }], {
      processes: 1,
      pool,
      onResult: (_, { outcomes }) => Promise.resolve(void seen.push(...outcomes)),
    })
    expect(new Set(seen[0]!.status)).toEqual(new Set(['not-a-number']))
    expect(seen[0]!.kept!.every(value => value === 0)).toBe(true)
  })

  it('is another model when its external data or its use changes', async () => {
    const place = join(folder, 'identity')
    const out = join(place, 'results')
    const file = await writeForeign(place, { external: 'head.bin' })
    await evaluate({ models: [file], datasets: [dataset()], out })
    await writeFile(join(place, 'head.bin'), headBytes().toReversed())
    await evaluate({ models: [file], datasets: [dataset()], out })
    await writeForeign(
      place,
      { external: 'head.bin' },
      { output: { name: 'logits', kind: 'probabilities' } },
    )
    await evaluate({ models: [file], datasets: [dataset()], out })
    expect(new Set((await readStoredEvaluations(out)).map(({ key }) => key)).size).toBe(3)
  })

  it('has a place in a dry run', async () => {
    const file = await writeForeign(join(folder, 'dry'))
    const [forecast] = await dryRun({ models: [file], datasets: [dataset()] })
    expect(forecast).toMatchObject({ model: 'dry', images: 12, download: 0 })
    expect(forecast!.seconds).toBeGreaterThan(0)
  })

  it('must fit its description', async () => {
    const refused = async (form: Form, more: object, message: RegExp) => {
      const file = await writeForeign(join(folder, 'unfit'), form, more)
      await expect(ready(file)).rejects.toThrow(message)
    }
    const input = { name: 'pixels', layout: 'NCHW', dtype: 'float32' }
    await refused(
      {},
      { input: { ...input, name: 'image' } },
      /no input "image"; there are "pixels"/,
    )
    await refused(
      {},
      { output: { name: 'probs', kind: 'logits' } },
      /no output "probs"; there are "logits"/,
    )
    await refused({}, { input: { ...input, dtype: 'uint8' } }, /"pixels" takes float32, not uint8/)
    await refused(
      {},
      { input: { ...input, layout: 'NHWC' } },
      /"pixels" is \[n, 3, 32, 32\], not an image in NHWC/,
    )
    await refused({}, { classes: ['a', 'b'] }, /"logits" has 3 columns for 2 classes/)
  })
})

describe('external data and operators that are refused', () => {
  const refused = async (external: string, message: RegExp) => {
    const place = join(folder, 'guarded')
    await mkdir(place, { recursive: true })
    const file = await writeForeign(place)
    await writeFile(join(place, 'colours.onnx'), colourGraph({ external }))
    await expect(ready(file)).rejects.toThrow(message)
  }
  const outside = /is not the name of a file in the graph's folder/

  it('outside of the folder: .., absolute, drives, memory', async () => {
    await writeFile(join(folder, 'secret.bin'), headBytes())
    for (const location of ['../secret.bin', 'a/../../secret.bin', join(folder, 'secret.bin')]) {
      await refused(location, outside)
    }
    for (const location of [
      'C:\\secret.bin',
      '..\\secret.bin',
      '*/_ORT_MEM_ADDR_/*',
      '',
      '.',
      'a//b',
    ])
      await refused(location, outside)
  })

  it('links, to files and to folders', async () => {
    const place = join(folder, 'guarded')
    await mkdir(place, { recursive: true })
    await writeFile(join(folder, 'secret.bin'), headBytes())
    await symlink('../secret.bin', join(place, 'link.bin'))
    await symlink('..', join(place, 'up'))
    await refused('link.bin', /"link.bin" is a link/)
    await refused('up/secret.bin', /"up\/secret.bin" is a link/)
  })

  it('what is absent, a folder, or too short', async () => {
    const place = join(folder, 'guarded')
    await mkdir(join(place, 'inner'), { recursive: true })
    await writeFile(join(place, 'short.bin'), headBytes().subarray(1))
    await refused('absent.bin', /"absent.bin" is missing/)
    await refused('inner', /"inner" is not a plain file/)
    await refused('short.bin', /has 35 bytes, 36 are needed/)
  })

  it('operators of other domains, but not an unused domain', async () => {
    const file = await writeForeign(join(folder, 'custom'))
    const target = join(folder, 'custom/colours.onnx')
    const renamed = Buffer.from(colourGraph())
      .toString('latin1')
      .replace('com.microsoft', 'com.acme.evil')
    await writeFile(target, renamed, 'latin1')
    await expect(ready(file)).resolves.toMatchObject({
      hashes: [expect.any(String), expect.any(String)],
    })
    const { appendOp, createGraph, addInput, addOutput } =
      await import('../../src/lib/onnx/graph.ts')
    const { encodeModel } = await import('../../src/lib/onnx/encode.ts')
    const graph = createGraph()
    const pixels = addInput(graph, 'pixels', { shape: ['n', 3, 32, 32] })
    addOutput('logits', appendOp('MultiHeadAttention', [pixels], { shape: ['n', 3] }))
    const bytes = encodeModel(graph, { bind: () => ({ dtype: 'float32', values: headBytes() }) })
    await writeFile(
      target,
      Buffer.from(bytes).toString('latin1').replace('com.microsoft', 'com.acme.evil'),
      'latin1',
    )
    await expect(ready(file)).rejects.toThrow(
      /operators of "com\.acme\.evil"; known domains are ai\.onnx/,
    )
  })

  it('files that are no ONNX, cut off, or bent', async () => {
    const file = await writeForeign(join(folder, 'bent'))
    const target = join(folder, 'bent/colours.onnx')
    const whole = colourGraph()
    for (const bytes of [
      Buffer.from('<!DOCTYPE html>'),
      Buffer.alloc(0),
      Buffer.alloc(500, 0xff),
    ]) {
      await writeFile(target, bytes)
      await expect(ready(file)).rejects.toThrow(/cannot read ONNX file/)
    }
    for (let length = 1; length < whole.length; length += 7) {
      await writeFile(target, whole.subarray(0, length))
      await expect(ready(file)).rejects.toMatchObject({ name: 'GeogapError' })
    }
    await rm(target)
    await expect(ready(file)).rejects.toThrow(/no such ONNX file/)
  })
})

describe('model.json', () => {
  it('gives weights of their own to an architecture of the catalogue', async () => {
    const place = join(folder, 'lcnet')
    await mkdir(place)
    await writeSafetensors(join(place, 'best.safetensors'), initialWeights('lcnet_050', 3, 1))
    await writeFile(join(place, 'names.txt'), classes.join('\n'))
    const preprocessing = {
      mean: [0, 0, 0],
      std: [1, 1, 1],
      interpolation: 'bilinear',
      cropPct: 0.9,
      size: 64,
    }
    const description = {
      name: 'mine',
      architecture: 'lcnet_050',
      weights: 'best.safetensors',
      classes: 'names.txt',
    }
    const file = join(place, 'model.json')
    await writeFile(file, JSON.stringify({ ...description, preprocessing }))
    const run = await evaluate({
      models: [file],
      datasets: [dataset()],
      out: join(place, 'results'),
    })
    expect(run.accuracy()[0]).toMatchObject({ model: 'mine', n: 12, errors: 0 })
  })

  it('cannot share its name with another model of the same evaluation', async () => {
    const files = [join(folder, 'a/same'), join(folder, 'b/same')]
    for (const file of files) await writeForeign(file)
    const wanted = { datasets: [dataset()], out: folder }
    await expect(evaluate({ ...wanted, models: files })).rejects.toThrow(
      /^two models are called same: /,
    )
    expect((await resolveModels({ ...wanted, models: [files[0]!, files[0]!] })).specs).toHaveLength(
      1,
    )
  })

  it('may begin with a byte order mark', async () => {
    const file = await writeForeign(join(folder, 'marked'))
    await writeFile(file, `\ufeff${await readFile(file, 'utf8')}`)
    expect((await loadModelSpec(file)).name).toBe('marked')
  })

  it('keeps the resize target as it is written', async () => {
    const file = await writeForeign(join(folder, 'target'))
    const [resize] = stepsFor((await loadModelSpec(file)).recipe, 'native', undefined)
    expect(resize).toEqual({ step: 'resize', size: 36, interpolation: 'bilinear' })
  })

  it('says what is wrong with it', async () => {
    const refused = async (more: object, message: RegExp) => {
      const file = await writeForeign(join(folder, 'wrong'), {}, more)
      await expect(loadModelSpec(file)).rejects.toThrow(message)
    }
    await refused({ colour: 1 }, /Unrecognized key: "colour"/)
    await refused(
      {
        onnx: undefined,
        architecture: 'constructor',
        weights: 'a',
        input: undefined,
        output: undefined,
      },
      /unknown model: constructor/,
    )
    await refused(
      { onnx: undefined, base: '.', head: 'a', input: undefined, output: undefined },
      /a retrained head itself/,
    )
    await refused(
      { onnx: '../colours.onnx' },
      /onnx: must name a file in the description's own folder/,
    )
    await refused(
      { classes: 7 },
      /classes: must be 'imagenet-1k', a list of names, or the name of a file/,
    )
    await refused(
      { preprocessing: [] },
      /preprocessing: must be a recipe, or the steps resize, centerCrop, normalize/,
    )
    await refused(
      { architecture: 'resnet50' },
      /one of 'architecture', 'onnx' and 'base' is needed/,
    )
    await refused(
      { output: { name: 'logits', kind: 'odds' } },
      /output\.kind: .*"logits"\|"probabilities"/,
    )
    await writeFile(join(folder, 'wrong/model.json'), '{')
    await expect(loadModelSpec(join(folder, 'wrong'))).rejects.toThrow(/it is no JSON object/)
    await expect(loadModelSpec(join(folder, 'none.json'))).rejects.toThrow(
      /missing file: .*none\.json/,
    )
    await expect(loadModelSpec(folder)).rejects.toThrow(
      /missing file: .*model\.json; geogap models describe FILE\.onnx writes/,
    )
    await expect(
      resolveModels({ models: ['resnet18', 'resnet50'], datasets: [], weights: 'a.pth' }),
    ).rejects.toThrow('NAME@FILE gives one')
    await expect(loadModelSpec('some.onnx')).rejects.toThrow(/geogap models describe some\.onnx/)
    await rename(join(folder, 'wrong'), join(folder, 'resnet51'))
    await expect(loadModelSpec('resnet51')).rejects.toThrow(/nearest: resnet50/)
  })
})

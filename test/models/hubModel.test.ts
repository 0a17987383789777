import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { headListOf } from '../../src/models/headClasses.ts'
import { imagenetClasses } from '../../src/datasets/labels/imagenet.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { areImagenetLabels } from '../../src/datasets/labels/matchClassNames.ts'
import { parseHubName } from '../../src/models/hubModel.ts'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { loadModel } from '../../src/models/runtime/loadModel.ts'
import { centerCrop, normalize } from '../../src/lib/pixels/steps.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { writeWorld } from '../helpers/world.ts'
import { bytesContent, type Content, repo, startHub, textContent } from '../lib/hub/fakeHub.ts'
import { colourGraph, type Form, headBytes } from './onnx/foreignGraph.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-hf-'))
  vi.stubEnv('HF_HOME', join(home, 'hf'))
  vi.stubEnv('GEOGAP_CACHE', join(home, 'own'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

const half = [0.5, 0.5, 0.5]
const vit = { image_processor_type: 'ViTImageProcessor', image_mean: half, image_std: half }
const preprocessing = { ...vit, resample: 2, size: { height: 32, width: 32 } }

const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
const classifier = { architectures: ['ViTForImageClassification'], id2label }

async function withHub(form: Form, config: object, work: () => Promise<void>): Promise<void> {
  const files: Record<string, Content> = {
    'config.json': textContent(JSON.stringify(config)),
    'preprocessor_config.json': textContent(JSON.stringify(preprocessing)),
    'onnx/model.onnx': bytesContent(colourGraph({ input: 'pixel_values', ...form })),
    'onnx/model.onnx_data': bytesContent(headBytes()),
  }
  const hub = await startHub(files, ['onnx/model.onnx', 'onnx/model.onnx_data'])
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  try {
    await work()
  } finally {
    await hub.close()
  }
}

describe('hf:owner/repo', () => {
  for (const [kind, form] of Object.entries({
    'weights inside': { size: 'side' },
    'weights in external data, half precision': {
      external: 'model.onnx_data',
      dtype: 'float16' as const,
    },
  })) {
    it(`is evaluated as a catalogue model is: ${kind}`, () =>
      withHub(form, classifier, async () => {
        const manifest = await writeWorld(home, 6)
        const dataset = { name: manifest, classes: join(home, 'classes.txt') }
        const out = join(home, 'results')
        const run = await evaluate({ models: [`hf:${repo}`], datasets: [dataset], out })
        expect(run.failures).toEqual([])
        expect(run.accuracy()[0]).toMatchObject({ model: `hf:${repo}`, n: 6, top1: 1 })
      }))
  }

  it('puts external data together once, and hashes it too', () =>
    withHub({ external: 'model.onnx_data' }, classifier, async () => {
      const spec = await loadModelSpec(`hf:${repo}@main`)
      const { hashes, model } = await prepareModel(spec)
      expect(hashes).toHaveLength(3)
      expect(model.files.map(file => file.split('/').at(-1))).toEqual([
        'model.onnx',
        'model.onnx_data',
      ])
      expect((await prepareModel(spec)).model).toEqual(model)
      expect(await readdir(join(home, 'own/graphs'))).toHaveLength(1)
    }))

  it('refuses external data that is not beside the graph in the repository', () =>
    withHub({ external: '../config.json' }, classifier, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      await expect(prepareModel(spec)).rejects.toThrow(
        /refused ONNX file: external data "\.\.\/config\.json"/,
      )
    }))

  it('knows a classifier that was trained with a teacher, and timm’s export without a preprocessor’s file', async () => {
    await withHub(
      {},
      { architectures: ['DeiTForImageClassificationWithTeacher'], id2label },
      async () => {
        expect(await loadModelSpec(`hf:${repo}`)).toMatchObject({
          classes: ['red', 'green', 'blue'],
        })
      },
    )
    const timm = {
      architectures: ['TimmWrapperForImageClassification'],
      num_classes: 1000,
      pretrained_cfg: { input_size: [3, 32, 32], interpolation: 'bilinear', mean: half, std: half },
    }
    const hub = await startHub({ 'config.json': textContent(JSON.stringify(timm)) }, [])
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
    vi.stubEnv('HF_HOME', join(home, 'timm'))
    const spec = await loadModelSpec(`hf:${repo}`)
    await hub.close()
    expect(spec).toMatchObject({
      classes: 'imagenet-1k',
      recipe: { size: 32, cropPct: 0.875, interpolation: 'bilinear' },
    })
  })

  it('picks ImageNet’s classes of a head with a background class', () => {
    const names = ['background', ...imagenetClasses.map(({ synonyms }) => synonyms.join(', '))]
    const config = { ...classifier, id2label: Object.fromEntries(names.entries()) }
    return withHub({ classes: 1001 }, config, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      expect(spec).toMatchObject({ classes: 'imagenet-1k', headClasses: 1001 })
      expect((await prepareModel(spec)).model).toMatchObject({ classes: 1001, picksImagenet: true })
    })
  })

  it('reads timm’s older files, whose keys are at the top, and the preprocessor in processor_config.json', async () => {
    const timm = {
      architecture: 'resnet18',
      num_classes: 3,
      label_names: ['red', 'green', 'blue'],
      input_size: [3, 32, 32],
      interpolation: 'bicubic',
      crop_pct: 0.95,
      mean: half,
      std: half,
    }
    const specOf = async (files: Record<string, object>, home: string) => {
      const contents = Object.entries(files).map(([name, content]): [string, Content] => [
        name,
        textContent(JSON.stringify(content)),
      ])
      const hub = await startHub(Object.fromEntries(contents), [])
      vi.stubEnv('HF_ENDPOINT', hub.endpoint)
      vi.stubEnv('HF_HOME', home)
      try {
        return await loadModelSpec(`hf:${repo}`)
      } finally {
        await hub.close()
      }
    }
    expect(await specOf({ 'config.json': timm }, join(home, 'flat'))).toMatchObject({
      classes: ['red', 'green', 'blue'],
      graph: { kind: 'logits' },
      recipe: { size: 32, cropPct: 0.95, interpolation: 'bicubic' },
    })
    const whole = { image_processor: { ...preprocessing, device: null }, processor_class: 'P' }
    const files = { 'config.json': classifier, 'processor_config.json': whole }
    expect(await specOf(files, join(home, 'whole'))).toMatchObject({
      recipe: { size: 32, squash: true },
    })
    await expect(specOf({ 'config.json': classifier }, join(home, 'none'))).rejects.toThrow(
      /no file preprocessor_config.json in repository acme\/model/,
    )
  })

  it('judges a larger head by its names: in the order of the list, else they are classes of their own', async () => {
    const list = headListOf(11821)!
    const names = Array.from({ length: 11821 }, (_, i) => `n9${String(i).padStart(7, '0')}`)
    for (const [i, place] of list.places.entries())
      if (place >= 0) names[place] = imagenetClasses[i]!.wnid
    const specOf = async (labels: string[], change: object = {}) => {
      const config = { ...classifier, id2label: Object.fromEntries(labels.entries()), ...change }
      let spec: ModelSpec | undefined
      await withHub({}, config, async () => {
        spec = await loadModelSpec(`hf:${repo}`)
      })
      await rm(join(home, 'hf'), { recursive: true })
      return spec
    }
    const picked = { classes: 'imagenet-1k', headClasses: 11821 }
    expect(await specOf(names)).toMatchObject(picked)
    const reversed = names.toReversed()
    const timm = { pretrained_cfg: { num_classes: 11821 }, preprocessing, id2label: null }
    expect(await specOf([], { ...timm, label_names: reversed })).toMatchObject({
      classes: reversed,
    })
    expect(await specOf([], timm)).toMatchObject(picked)
  })

  it('takes an image tower with classes for a classifier, and a graph at the root or under another name', async () => {
    const files = {
      'config.json': textContent(
        JSON.stringify({
          ...classifier,
          architectures: ['SiglipForImageClassification'],
          model_type: 'siglip',
          vision_config: {},
          text_config: {},
        }),
      ),
      'preprocessor_config.json': textContent(JSON.stringify(preprocessing)),
    }
    const graph = bytesContent(colourGraph({ input: 'pixel_values' }))
    const prepared = async (more: Record<string, Content>) => {
      const hub = await startHub({ ...files, ...more }, Object.keys(more))
      vi.stubEnv('HF_ENDPOINT', hub.endpoint)
      vi.stubEnv('HF_HOME', await mkdtemp(join(home, 'root-')))
      try {
        return await prepareModel(await loadModelSpec(`hf:${repo}`))
      } finally {
        await hub.close()
      }
    }
    for (const place of ['model.onnx', 'onnx/model.onnx'])
      expect(await prepared({ [place]: graph })).toMatchObject({
        model: { classes: 3, graph: { kind: 'logits' } },
      })
    await expect(prepared({ 'onnx/model_q4.onnx': graph })).rejects.toThrow(
      /no file onnx\/model.onnx in repository acme\/model .*; name another graph as hf:acme\/model:FILE.onnx$/,
    )
  })

  it('refuses placeholders for names, and names the key that it cannot read', async () => {
    const refused = async (config: object): Promise<string> => {
      let message = ''
      await withHub({}, { ...classifier, ...config }, async () => {
        message = await loadModelSpec(`hf:${repo}`).then(
          () => 'no error',
          (error: unknown) => (error as Error).message,
        )
      })
      await rm(join(home, 'hf'), { recursive: true })
      return message
    }
    expect(await refused({ id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } })).toMatch(
      /id2label in config.json of acme\/model has 2 placeholders/,
    )
    expect(await refused({ id2label: { 1: 'a', 2: 'b' } })).toMatch(/does not name classes 0, 1, 2/)
    expect(await refused({ id2label: { 0: 'a' } })).toMatch(
      /names one class, and two are the least/,
    )
    expect(await refused({ architectures: ['SegformerForSemanticSegmentation'] })).toMatch(
      /says "SegformerForSemanticSegmentation", which gives neither classes nor features of images/,
    )
    expect(await refused({ architectures: null })).toBe('no error')
    expect(await refused({ id2label: ['a', 'b'] })).toMatch(/config.json of acme\/model .*id2label/)
  })

  it('takes the only input and output of an exporter with other names, and logarithms of a softmax', () =>
    withHub({ input: 'x', kind: 'probabilities' }, classifier, async () => {
      const { model } = await prepareModel(await loadModelSpec(`hf:${repo}`))
      expect(model.graph).toMatchObject({ input: 'x', output: 'scores', kind: 'probabilities' })
    }))

  it('gives a quantized graph one image at a time, so that no image depends on the others', () =>
    withHub({ quantized: true }, classifier, async () => {
      const { model, hashes } = await prepareModel(await loadModelSpec(`hf:${repo}`))
      expect(hashes.at(-1)).toMatch(/one image at a time$/)
      const steps = [centerCrop(32), normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])]
      const session = await loadModel(model, steps, { outputs: ['logits'] })
      const dim = new Uint8Array(3 * 32 * 32).map((_, i) => 126 + (i % 5))
      const bright = new Uint8Array(dim.length).map((_, i) => (i % 2) * 255)
      const alone = await session.run(dim, 1)
      const beside = await session.run(Uint8Array.from([...dim, ...bright]), 2)
      expect(beside['logits']!.slice(0, 3)).toEqual(alone['logits'])
      await session.release()
    }))

  it('says which outputs there are where the expected one is not', () =>
    withHub({}, { architectures: ['Dinov2Model'] }, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      expect(spec).toMatchObject({ classes: [], graph: { kind: 'embedding' } })
      await expect(prepareModel(spec)).rejects.toThrow(
        /no output "pooler_output"; there are "logits"/,
      )
    }))

  it('reads repository, revision and file from the name', () => {
    expect(parseHubName('hf:a/b')).toEqual({
      repo: 'a/b',
      revision: 'main',
      file: 'onnx/model.onnx',
    })
    expect(parseHubName('hf:a/b@refs/pr/1:onnx/vision_model.onnx')).toEqual({
      repo: 'a/b',
      revision: 'refs/pr/1',
      file: 'onnx/vision_model.onnx',
    })
    expect(() => parseHubName('hf:a/b:weights.bin')).toThrow(/not hf:OWNER\/REPO/)
  })

  it('knows labels that are ImageNet in order, and only those', () => {
    const full = imagenetClasses.map(({ synonyms }) => synonyms.join(', '))
    const short = imagenetClasses.map(({ name }) => name.toUpperCase().replaceAll(' ', '_'))
    for (const labels of [full, short]) {
      expect(areImagenetLabels(labels)).toBe(true)
      expect(areImagenetLabels(labels.with(5, 'something else'))).toBe(true)
      expect(areImagenetLabels(labels.with(5, labels[6]!).with(6, labels[5]!))).toBe(false)
      expect(areImagenetLabels(labels.slice(1))).toBe(false)
    }
    expect(areImagenetLabels(full.map((_, i) => `LABEL_${i}`))).toBe(false)
  })
})

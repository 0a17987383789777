import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { evaluate as evaluateAlone } from '../../src/evaluate/evaluate.ts'
import { rescore } from '../../src/evaluate/rescore.ts'
import { readCurrentResults } from '../../src/results/currentResults.ts'
import { readCalibration } from '../../src/results/groupSums.ts'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { type BoundTextTower } from '../../src/models/spec.ts'
import { hasProc, workersOf } from '../helpers/evaluation.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'
import { bytesContent, type Content, repo, startHub, textContent } from '../lib/hub/fakeHub.ts'
import {
  dualTokenizer,
  imageTowerBytes,
  type TextForm,
  textTowerBytes,
  words,
} from './onnx/dualEncoder.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
let manifest: string
let home: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-dual-'))
  manifest = await writeWorld(folder, 9)
})
beforeEach(async () => {
  home = await mkdtemp(join(folder, 'test-'))
  vi.stubEnv('HF_HOME', join(home, 'hf'))
  vi.stubEnv('GEOGAP_CACHE', join(folder, 'own'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  // No embedding of a text serves two tests.
  await rm(join(folder, 'own'), { recursive: true, force: true })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const half = [0.5, 0.5, 0.5]
const preprocessing = {
  image_processor_type: 'CLIPImageProcessor',
  image_mean: half,
  image_std: half,
  size: { height: 32, width: 32 },
  do_center_crop: false,
  resample: 3,
}
const clip = {
  architectures: ['CLIPModel'],
  model_type: 'clip',
  text_config: {},
  vision_config: {},
}
const tokenizerConfig = { model_max_length: 77, pad_token: { content: '[PAD]' } }

const dataset = () => ({ name: manifest, classes: join(folder, 'classes.txt') })

/** Expects that no probability of the only evaluation in `out` is known, and that the reason is given. */
async function expectNoProbability(out: string, images: number): Promise<void> {
  const { entries, failures } = await readCurrentResults(out, undefined, 'probability')
  expect(failures.map(({ message }) => message)).toEqual([
    expect.stringContaining(
      `not known for ${images} of ${images} images, as the trained logit scale of the model is not`,
    ),
  ])
  const { entries: stored } = await readCurrentResults(out)
  expect(entries).toHaveLength(1)
  const [all] = await readCalibration(stored[0]!, ['label'], stored)
  expect(all!.confidence).toBeNull()
  expect(all!.reason).toContain('not known')
}

interface Repository {
  config?: object
  image?: string
  text?: Partial<TextForm>
  preprocessor?: object
  tokenizer?: object
  /** Keys of tokenizer.json to replace. */
  file?: object
}

async function withHub(
  { config = clip, image = 'image_embeds', text, preprocessor, tokenizer, file }: Repository,
  work: () => Promise<void>,
  name = repo,
): Promise<void> {
  const json = (content: object): Content => textContent(JSON.stringify(content))
  const files: Record<string, Content> = {
    'config.json': json(config),
    'preprocessor_config.json': json(preprocessor ?? preprocessing),
    'tokenizer.json': json({ ...(JSON.parse(dualTokenizer) as object), ...file }),
    'tokenizer_config.json': json(tokenizer ?? tokenizerConfig),
    'onnx/vision_model.onnx': bytesContent(imageTowerBytes(image)),
    'onnx/text_model.onnx': bytesContent(
      textTowerBytes({ output: 'text_embeds', mask: true, ...text }),
    ),
  }
  const hub = await startHub(files, ['onnx/vision_model.onnx', 'onnx/text_model.onnx'], name)
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  vi.stubEnv('HF_HOME', await mkdtemp(join(home, 'hf-')))
  try {
    await work()
  } finally {
    await hub.close()
  }
}

const siglip = {
  model_type: 'siglip',
  text_config: { max_position_embeddings: 4 },
  vision_config: {},
}

describe('hf:owner/repo with an image and a text tower', () => {
  it.each<[string, Repository]>([
    ['CLIP with a mask', {}],
    [
      'CLIP without a mask, padded',
      { text: { mask: false }, tokenizer: { ...tokenizerConfig, model_max_length: 6 } },
    ],
    [
      'SigLIP: its own outputs, padded to its length',
      { config: siglip, image: 'pooler_output', text: { output: 'pooler_output', mask: false } },
    ],
    [
      'SigLIP in lower case, whatever its tokenizer does',
      {
        config: siglip,
        image: 'pooler_output',
        text: { output: 'pooler_output', mask: false },
        file: { normalizer: null },
      },
    ],
    ['a tower that takes kinds of tokens', { text: { types: true } }],
    ['texts of one length', { text: { mask: false, length: 5 } }],
  ])('classifies by the class names: %s', (_, repository) =>
    withHub(repository, async () => {
      const out = join(home, 'results')
      const prompts = join(home, 'prompts.txt')
      await writeFile(prompts, 'A photo {}\n{}\n')
      const asked = { models: [`hf:${repo}`], datasets: [dataset()], out, prompts }
      const run = await evaluate({ ...asked, keep: 'features' })
      expect(run.failures).toEqual([])
      const model = `hf:${repo} (prompts prompts.txt)`
      expect(run.accuracy()[0]).toMatchObject({ model, n: 9, top1: 1 })
      const again = await rescore(out, { prompts, out: join(home, 'again') })
      expect(again.accuracy()[0]).toMatchObject({ n: 9, top1: 1 })
      expect(run.modelNotes.get(model)).toContain('lack the trained logit scale')
      for (const folder of [out, join(home, 'again')]) await expectNoProbability(folder, 9)
    }),
  )

  it.each([
    ['Xenova/clip-vit-base-patch32', 100],
    ['onnx-community/clip-vit-large-patch14-336-ONNX', 100],
    ['Xenova/siglip-so400m-patch14-384', 112.34],
    ['Xenova/siglip-base-patch16-224', null],
    ['somebody/clip-vit-base-patch32', null],
  ])('knows the published logit scale of %s: %s', (name, scale) =>
    withHub(
      {},
      async () => {
        const { text, note } = await loadModelSpec(`hf:${name}`)
        if (scale === null) expect([text!.logitScale, note]).toEqual([null, expect.any(String)])
        else expect([text!.logitScale, note]).toEqual([expect.closeTo(scale, 2), undefined])
      },
      name,
    ),
  )

  it('takes lengths and padding from the tokenizer, the graph and the configuration', async () => {
    const bound = async (repository: Repository): Promise<BoundTextTower | undefined> => {
      let text: BoundTextTower | undefined
      await withHub(repository, async () => {
        text = (await prepareModel(await loadModelSpec(`hf:${repo}`))).model.text
      })
      return text
    }
    expect(await bound({})).toMatchObject({
      contextLength: 77,
      padding: 0,
      padded: false,
      mask: 'length',
    })
    expect(await bound({ text: { mask: false } })).toMatchObject({ padded: true, mask: 'none' })
    expect(
      await bound({ config: siglip, image: 'pooler_output', text: { output: 'pooler_output' } }),
    ).toMatchObject({ contextLength: 4, padded: true, mask: 'ones', lowercase: undefined })
    const own = { config: siglip, image: 'pooler_output', text: { output: 'pooler_output' } }
    expect(await bound({ ...own, file: { normalizer: null } })).toMatchObject({ lowercase: true })
    expect(
      await bound({ tokenizer: { pad_token: '[END]', model_max_length: 1e30 } }),
    ).toMatchObject({
      contextLength: 77,
      padding: words.indexOf('[END]'),
    })
  })

  it('refuses what does not fit, with the reason and the name', async () => {
    const refusal = async (repository: Repository): Promise<string> => {
      let message = 'no error'
      await withHub(repository, async () => {
        message = await loadModelSpec(`hf:${repo}`)
          .then(prepareModel)
          .then(
            () => 'no error',
            (error: unknown) => (error as Error).message,
          )
      })
      return message
    }
    expect(await refusal({ text: { columns: 2 } })).toMatch(
      /hf:acme\/model: embeddings of texts have 2 values, those of images 3/,
    )
    expect(await refusal({ text: { output: 'last_hidden_state' } })).toMatch(
      /text tower of hf:acme\/model .* no output "text_embeds"; there are "last_hidden_state"/,
    )
    expect(await refusal({ image: 'pooler_output' })).toMatch(/no output "image_embeds"/)
    expect(await refusal({ tokenizer: { ...tokenizerConfig, padding_side: 'left' } })).toMatch(
      /text tower of hf:acme\/model .* padding_side is left/,
    )
    const bare = { ...clip, model_type: 'other' }
    expect(await refusal({ config: bare, tokenizer: {} })).toMatch(/nothing says how many tokens/)
    expect(await refusal({ preprocessor: { ...preprocessing, do_resize: false } })).toMatch(
      /^acme\/model: preprocessor_config.json: do_resize is false/,
    )
  })

  it('never stops the other models', () =>
    withHub({}, async () => {
      const good = await writeModel(home)
      const models = [good, 'hf:acme/nothing', `hf:${repo}:onnx/absent.onnx`]
      const run = await evaluate({ models, datasets: [dataset()], out: join(home, 'results') })
      expect(run.accuracy().map(({ model }) => model)).toEqual([good.name])
      const reasons = run.failures.map(({ model, message }) => `${model}: ${message}`).sort()
      expect(reasons).toEqual([
        expect.stringContaining('absent.onnx gives an embedding and no classes'),
        expect.stringContaining('hf:acme/nothing: no repository acme/nothing'),
      ])
    }))
})

describe('model.json with a text tower', () => {
  const description = {
    name: 'mine',
    onnx: 'vision.onnx',
    input: { name: 'pixel_values', layout: 'NCHW', dtype: 'float32' },
    preprocessing: 'preprocessor_config.json',
    output: { name: 'image_embeds', kind: 'embedding' },
    text: { onnx: 'text.onnx', output: 'text_embeds', contextLength: 8, padding: 0 },
  }
  const write = async (change: object = {}): Promise<string> => {
    const files = {
      'model.json': JSON.stringify({ ...description, ...change }),
      'preprocessor_config.json': JSON.stringify(preprocessing),
      'tokenizer.json': dualTokenizer,
      'vision.onnx': imageTowerBytes('image_embeds'),
      'text.onnx': textTowerBytes({ output: 'text_embeds', mask: true }),
    }
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(home, 'mine', name)), { recursive: true })
      await writeFile(join(home, 'mine', name), content)
    }
    return join(home, 'mine')
  }

  it('has probabilities where its logit scale is given, and none from kept logits where it is not', async () => {
    const evaluated = async (out: string, change: object): Promise<void> => {
      const models = [await write(change)]
      await evaluate({ models, datasets: [dataset()], out, keep: 'logits' })
    }
    const scaled = join(home, 'scaled')
    await evaluated(scaled, { text: { ...description.text, logitScale: 20 } })
    const { entries, failures } = await readCurrentResults(scaled, undefined, 'probability')
    expect([entries.length, failures]).toEqual([1, []])
    const unscaled = join(home, 'unscaled')
    await evaluated(unscaled, {})
    await expectNoProbability(unscaled, 9)
    await rescore(unscaled, { change: { labels: 'original' }, out: join(home, 'again') })
    await expectNoProbability(join(home, 'again'), 9)
  })

  it('is evaluated like every other zero-shot model, by the process that embedded the class names', async () => {
    const before = hasProc ? workersOf(process.pid) : []
    const seen = new Set<number>()
    const run = await evaluateAlone({
      models: [await write()],
      datasets: [dataset()],
      out: join(home, 'results'),
      onProgress: () => {
        if (hasProc) for (const pid of workersOf(process.pid)) seen.add(pid)
      },
    })
    expect(run.failures).toEqual([])
    expect(run.accuracy()[0]).toMatchObject({ model: 'mine', n: 9, top1: 1 })
    if (hasProc) expect(seen.size).toBe(before.length + 1)
  })

  it('is refused with its key where it is wrong', async () => {
    const refused = (change: object) =>
      expect(write(change).then(path => loadModelSpec(path))).rejects
    await refused({ text: { ...description.text, prompt: 'a photo' } }).toThrow(
      /text.prompt: must have/,
    )
    await refused({ output: { name: 'logits', kind: 'logits' } }).toThrow(/must be embedding/)
    await refused({ text: { ...description.text, onnx: '../text.onnx' } }).toThrow(/text.onnx/)
  })
})

import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tensor as OrtTensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { graphOf, readGoldenFile } from '../../../scripts/conformanceCase.ts'
import { formulaImages, writeFormulaWeights } from '../../../scripts/formula.ts'
import { multiplyAdds } from '../../../src/lib/onnx/multiplyAdds.ts'
import {
  createGraph,
  addInput,
  addOutput,
  type Tensor,
  parameterScope,
} from '../../../src/lib/onnx/graph.ts'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import { fixedSize, volume } from '../../../src/lib/onnx/shapes.ts'
import { add, mean } from '../../../src/lib/onnx/ops.ts'
import { createSession } from '../../../src/models/runtime/session.ts'
import {
  builtTextEncoder,
  zeroShotClassifier,
  zeroShotHead,
} from '../../../src/models/zeroShot/zeroShotHead.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { bindWeights } from '../../../src/lib/tensors/bindWeights.ts'
import { type DualEncoder } from '../../../src/models/families/family.ts'
import { classifierGraph, loadModel } from '../../../src/models/runtime/loadModel.ts'
import { readSafetensors, writeSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import { nativeSteps, type PreprocessingConfig } from '../../../src/lib/pixels/steps.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { colours, tiny, width, words, writeTinyModel } from './tinyEncoder.ts'
import { wordPieces } from './wordPiece.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-zeroshot-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const tinyModel = () => writeTinyModel(folder)

const unit = (row: readonly number[]): number[] => row.map(value => value / Math.hypot(...row))
const added = (rows: readonly (readonly number[])[]): number[] =>
  Array.from({ length: width }, (_, i) => rows.reduce((total, row) => total + row[i]!, 0))
const embedded = (text: string): number[] =>
  added(
    `[CLS] ${text} [SEP]`
      .split(' ')
      .map(word => [...words.subarray(wordPieces.indexOf(word) * width)]),
  )

const expectedHead = [
  [unit(embedded('a photo of the sto ##ve')), unit(embedded('sto ##ve ##s'))],
  [unit(embedded('a photo of the cafe')), unit(embedded('cafe ##s'))],
].flatMap(prompts => unit(added(prompts)))

describe('class embeddings', () => {
  it('are unit means of the unit embeddings of all prompts', async () => {
    const { file, task } = await tinyModel()
    let batches = 0
    const head = await zeroShotHead(
      builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 }),
      task,
      {
        onBatch: () => batches++,
      },
    )
    expect(batches).toBeGreaterThan(0)
    expect(head).toHaveLength(2 * width)
    for (const [i, value] of expectedHead.entries()) expect(head[i]).toBeCloseTo(value, 6)
  })

  it('take weights whose image tower has positions for images of their own size', async () => {
    const { task } = await tinyModel()
    const file = join(folder, 'placed.safetensors')
    const placed: DualEncoder = {
      ...tiny,
      names: { positions: [[/^pos_embed$/, 'grid']] },
      encodeImage: (w, image) => {
        const places = w.get('pos_embed', [
          1,
          (fixedSize(image.shape[2], 'image') / 16) ** 2,
          width,
        ])
        return add(tiny.encodeImage(w, image), mean(places, [0, 1]))
      },
    }
    await writeSafetensors(file, [
      { name: 'words', shape: [wordPieces.length, width], data: words },
      { name: 'colours', shape: [3, width], data: colours },
      { name: 'pos_embed', shape: [1, 4, width], data: new Float32Array(4 * width) },
    ])
    const local = { encoder: placed, files: [file], imageSize: 32 }
    const head = await zeroShotHead(builtTextEncoder(local), task)
    for (const [i, value] of expectedHead.entries()) expect(head[i]).toBeCloseTo(value, 6)
    const larger = { ...local, imageSize: 48 }
    await expect(zeroShotHead(builtTextEncoder(larger), task)).rejects.toThrow(
      /pos_embed is \[1,4,4\], not \[1,9,4\]/,
    )
    expect(
      await zeroShotHead(builtTextEncoder({ ...larger, resizePositions: true }), task),
    ).toEqual(head)
  })

  it('fail with the reason where the tower cannot be built for another length', async () => {
    const { file, task } = await tinyModel()
    const encoder: DualEncoder = {
      ...tiny,
      encodeText: (w, tokens, mask) => {
        if (tokens.shape[1] === 4) throw new Error('too short')
        return tiny.encodeText(w, tokens, mask)
      },
    }
    const built = builtTextEncoder({ encoder, files: [file], imageSize: 224 })
    await expect(zeroShotHead(built, task)).rejects.toThrow('too short')
  })

  it('refuses weights that do not fit, the image tower included', async () => {
    const { task } = await tinyModel()
    const file = join(folder, 'half.safetensors')
    await writeSafetensors(file, [
      { name: 'words', shape: [wordPieces.length, width], data: words },
    ])
    await expect(
      zeroShotHead(builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 }), task),
    ).rejects.toThrow(/1 missing \(colours\)/)
  })
})

/** image float32 [n, 3, size, size] -> logits, through a session over `files`. */
async function logitsOf(
  encoder: DualEncoder,
  file: string,
  head: Float32Array,
  images: Float32Array,
  size: number,
) {
  const graph = createGraph()
  const image: Tensor = addInput(graph, 'image', { shape: ['n', 3, size, size] })
  const classes = head.length / encoder.embeddingWidth
  addOutput(
    'logits',
    zeroShotClassifier(encoder, head).build(parameterScope(graph), image, classes).logits,
  )
  const { folder: real, bind } = await bindWeights(
    graph,
    [await readSafetensors(file)],
    encoder.names,
  )
  const session = await createSession(encodeModel(graph, { bind }), { folder: real })
  const shape = [images.length / (3 * size * size), 3, size, size]
  const { logits } = await session.run({ image: new OrtTensor('float32', images, shape) })
  await session.release()
  return logits!.data as Float32Array
}

const recipe: PreprocessingConfig = {
  mean: [0, 0, 0],
  std: [1, 1, 1],
  interpolation: 'bicubic',
  cropPct: 1,
  size: 224,
}
const steps = nativeSteps(recipe)

describe('a zero-shot classifier', () => {
  it('gives scaled cosine similarities', async () => {
    const { file, task } = await tinyModel()
    const head = await zeroShotHead(
      builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 }),
      task,
    )
    const images = Float32Array.of(0.5, -1, 2, 3, 0, 1)
    const [a, b] = [images.subarray(0, 3), images.subarray(3)].map(image =>
      unit(
        added(
          [...image].map((value, c) =>
            [...colours.subarray(c * width, (c + 1) * width)].map(x => x * value),
          ),
        ),
      ),
    )
    const expected = [a!, b!].flatMap(row =>
      [0, 1].map(
        c => 10 * row.reduce((total, value, i) => total + value * expectedHead[c * width + i]!, 0),
      ),
    )
    const found = await logitsOf(tiny, file, head, images, 1)
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5)
  })

  it("counts the whole model's parameters, but only the image tower's multiply-adds", () => {
    const graph = classifierGraph({ architecture: 'clip:ViT-B-32', classes: 40 }, steps)
    expect(multiplyAdds(graph) / 1e9).toBeCloseTo(4.41, 1)
    expect(graph.parameters.has('token_embedding.weight')).toBe(true)
  })

  it('checks weights with the image tower at the size that is run', async () => {
    const architecture = 'clip:ViT-B-32-256'
    const { parameters } = graphOf(findArchitecture(architecture), 256)
    parameters.delete('text_projection')
    const file = join(folder, 'sparse.safetensors')
    let end = 0
    const entries = Array.from(parameters.values(), ({ tensor: { name, shape } }) => {
      const data_offsets = [end, (end += 4 * volume(shape))]
      return [name, { dtype: 'F32', shape, data_offsets }] as const
    })
    const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    await writeFile(file, Buffer.concat([length, header]))
    await truncate(file, 8 + header.length + end)
    const { task } = await tinyModel()
    const model = { name: 'clip', architecture, classes: 2, files: [file], zeroShot: task }
    const own = nativeSteps({ ...recipe, size: 256 })
    await expect(loadModel(model, own, { outputs: ['logits'] })).rejects.toThrow(
      /sparse\.safetensors": 1 missing \(text_projection\)$/,
    )
  })

  it('needs class names', async () => {
    const model = { name: 'clip', architecture: 'clip:RN50', classes: 40, files: [] }
    await expect(loadModel(model, steps, { outputs: ['logits'] })).rejects.toMatchObject({
      code: 'no-head',
    })
  })
})

describe.skipIf(!shared)("OpenCLIP's zero-shot logits", () => {
  it('come from the texts themselves, padding cut off', async () => {
    const name = 'clip_RN50-quickgelu'
    const golden = readGoldenFile(sharedPath(`golden/models/${name}.json`))
    const prompts = golden.prompts!
    const file = join(folder, `${name}.safetensors`)
    await writeFormulaWeights(file, golden.tensors)
    const encoder = findArchitecture('clip:RN50-quickgelu') as DualEncoder
    const tokenizer = sharedPath('golden/tokenizer/clip_tokenizer.json')
    const head = await zeroShotHead(builtTextEncoder({ encoder, files: [file], imageSize: 224 }), {
      tokenizer,
      classNames: prompts,
      templates: ['{}'],
    })
    const { size, batch } = golden.input
    const logits = await logitsOf(
      encoder,
      file,
      head,
      formulaImages(golden.input.name, size, batch),
      size,
    )
    const crop = Uint8Array.from({ length: 3 * size * size }, (_, i) => (i * 7919) % 256)
    const direct = await logitsOf(
      encoder,
      file,
      head,
      Float32Array.from(crop, value => value / 255),
      size,
    )
    const zeroShot = { tokenizer, classNames: prompts, templates: ['{}'] }
    const classes = prompts.length
    const model = {
      name: 'clip',
      architecture: 'clip:RN50-quickgelu',
      classes,
      files: [file],
      zeroShot,
    }
    const loaded = await loadModel(model, steps, { outputs: ['logits'] })
    const fromCrops = (await loaded.run(crop, 1)).logits!
    await loaded.release()
    expect(fromCrops).toHaveLength(classes)
    for (const [i, value] of direct.entries()) expect(fromCrops[i]).toBeCloseTo(value, 3)
    await rm(file)
    const expected = golden.outputs.zero_shot_logits!.flat()
    const centre = expected.reduce((total, value) => total + value, 0) / expected.length
    const deviation = Math.sqrt(
      expected.reduce((total, v) => total + (v - centre) ** 2, 0) / expected.length,
    )
    expect(logits).toHaveLength(expected.length)
    for (const [i, value] of expected.entries())
      expect(Math.abs(logits[i]! - value) / deviation).toBeLessThan(2e-5)
  })
})

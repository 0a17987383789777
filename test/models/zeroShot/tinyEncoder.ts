/* A dual encoder of two tables, whose embeddings are known. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formulaValues } from '../../../scripts/formula.ts'
import { gather, matmul, mean, sum } from '../../../src/lib/onnx/ops.ts'
import { writeSafetensors } from '../../../src/lib/tensors/safetensors.ts'
import { type DualEncoder } from '../../../src/models/families/family.ts'
import { type ZeroShotTask } from '../../../src/models/spec.ts'
import { wordPieceJson, wordPieces } from './wordPiece.ts'

export const width = 4

/** Texts are sums of their words' rows, images their mean colours times a matrix. */
export const tiny: DualEncoder = {
  kind: 'dual',
  family: 'tiny',
  names: {},
  embeddingWidth: width,
  tokenizer: { contextLength: 8, cleaning: 'none', padding: 0 },
  prompt: 'a {}',
  logitScale: 10,
  encodeImage: (w, image) => matmul(mean(image, [2, 3]), w.get('colours', [3, width])),
  encodeText: (w, tokens) => sum(gather(w.get('words', [wordPieces.length, width]), tokens), [1]),
}

export const words = formulaValues('words', wordPieces.length * width, 0, 1).fill(0, 0, width)
export const colours = formulaValues('colours', 3 * width, 0, 1)

/** Writes the model's weights and tokenizer into `folder`. */
export async function writeTinyModel(
  folder: string,
): Promise<{ file: string; task: ZeroShotTask }> {
  const file = join(folder, 'tiny.safetensors')
  const tokenizer = join(folder, 'tokenizer.json')
  await writeFile(tokenizer, wordPieceJson)
  await writeSafetensors(file, [
    { name: 'words', shape: [wordPieces.length, width], data: words },
    { name: 'colours', shape: [3, width], data: colours },
  ])
  return {
    file,
    task: { tokenizer, classNames: ['stove', 'cafe'], templates: ['a photo of the {}', '{}s'] },
  }
}

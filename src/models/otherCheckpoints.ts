/** Models that neither timm nor OpenCLIP lists: checkpoints of papers' authors and of transformers on the hub. */
import { readTsv } from '../lib/archive/tsv.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'
import { type ModelSpec, type WeightSource } from './spec.ts'
import { normalizations } from './tagPreprocessing.ts'

type Row = Record<
  | 'name'
  | 'classes'
  | 'recipe'
  | 'from'
  | 'files'
  | 'sha256'
  | 'page'
  | 'licence'
  | 'licenceSource'
  | 'source',
  string
>

const bilinear: PreprocessingConfig = {
  ...normalizations.imagenet,
  interpolation: 'bilinear',
  cropPct: 0.875,
  size: 224,
}
const bicubic: PreprocessingConfig = { ...bilinear, interpolation: 'bicubic' }
const squashed: PreprocessingConfig = {
  ...bicubic,
  ...normalizations.clip,
  cropPct: 1,
  squash: true,
}
const recipes: Readonly<Record<string, PreprocessingConfig>> = { bilinear, bicubic, squashed }

function weightsOf({ from, files, sha256, page }: Row): WeightSource {
  if (from === 'hub')
    return { from, repo: files, file: 'model.safetensors', otherwise: 'pytorch_model.bin' }
  if (from === 'hand') return { from, file: files, page }
  const urls = files.split(' ').map(url => ({ url, ...(sha256 && { sha256 }) }))
  return { from: 'url', files: urls, page }
}

export const publishedModels: readonly ModelSpec[] = readTsv<keyof Row>(
  new URL('./otherCheckpoints.tsv', import.meta.url),
).map(row => ({
  name: row.name,
  architecture: row.name.split('.', 1)[0]!,
  classes: row.classes as 'imagenet-1k' | 'zero-shot',
  recipe: recipes[row.recipe]!,
  weights: weightsOf(row),
  licence: row.licence,
  ...(row.licenceSource && { licenceSource: row.licenceSource }),
  source: row.source,
}))

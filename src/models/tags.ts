/** The pretrained weights that timm 1.0.31 and OpenCLIP 3.3.0 list for the architectures here, as model specs. */
import { architectures } from './architectures.ts'
import { tagRecipe } from './tagPreprocessing.ts'
import { type ModelSpec, type WeightSource } from './spec.ts'
import { readTsv } from '../lib/archive/tsv.ts'

/**
 * Returns timm's tags with 1,000 classes, without a head, and last those with a head over more classes; of those with 1,000 an
 * architecture's default tag precedes its others.
 */
export const timmModels = (): ModelSpec[] =>
  ['timmTags.tsv', 'timmHeadTags.tsv'].flatMap(readTimmTags)

function readTimmTags(file: string): ModelSpec[] {
  type Column =
    | 'model'
    | 'normalization'
    | 'interpolation'
    | 'cropPct'
    | 'size'
    | 'resize'
    | 'licence'
    | 'place'
    | 'testSize'
    | 'testCropPct'
    | 'classes'
    | 'imagenet'
  return readTsv<Column>(new URL(`./${file}`, import.meta.url)).map(row => ({
    name: row.model,
    architecture: Object.hasOwn(architectures, row.model) ? row.model : row.model.split('.', 1)[0]!,
    classes: row.classes === '0' ? [] : 'imagenet-1k',
    recipe: tagRecipe({ ...row, cropPct: Number(row.cropPct), size: Number(row.size) }),
    testRecipe:
      row.testSize === ''
        ? undefined
        : { size: Number(row.testSize), cropPct: Number(row.testCropPct) },
    published: row.imagenet
      .split(' ')
      .filter(Boolean)
      .map(text => text.split(':').map(Number))
      .map(([size, top1]) => ({ size: size!, top1: top1! })),
    weights: timmWeights(row.model, row.place),
    headClasses: Number(row.classes) > 0 ? Number(row.classes) : undefined,
    licence: row.licence,
    licenceSource: row.licence === 'unknown' ? undefined : 'timm 1.0.31, registry',
    source: 'timm',
  }))
}

/** Returns where a tag's weights are: its own hub repository if `place` is empty, another one, or a web address. */
function timmWeights(model: string, place: string): WeightSource {
  if (place.startsWith('https://')) {
    const sha256 = /-([0-9a-f]+)\.pth$/.exec(place)![1]!
    const page = 'https://github.com/huggingface/pytorch-image-models/releases'
    return { from: 'url', files: [{ url: place, sha256 }], page }
  }
  return {
    from: 'hub',
    repo: place === '' ? `timm/${model}` : place,
    file: 'model.safetensors',
    otherwise: 'pytorch_model.bin',
  }
}

/** Returns the note on weights of QuickGELU under a name with the plain GELU; `trained` is the name with QuickGELU. */
export const quickGeluNote = (trained: string): string =>
  `trained with QuickGELU, computed here with the plain GELU that the name asks for; ${trained} is as trained`

/** Returns OpenCLIP's tags as `clip:TOWER/TAG`; weights trained with QuickGELU also as `clip:TOWER-quickgelu/TAG`. */
export function clipModels(): ModelSpec[] {
  type Column =
    | 'tower'
    | 'tag'
    | 'repository'
    | 'files'
    | 'activation'
    | 'normalization'
    | 'interpolation'
    | 'resize'
    | 'size'
  const licences = readTsv<'repositories' | 'licence' | 'source'>(
    new URL('./openclipLicences.tsv', import.meta.url),
  ).map(one => ({ ...one, repositories: new RegExp(one.repositories) }))
  return readTsv<Column>(new URL('./openclipTags.tsv', import.meta.url)).flatMap(row => {
    const known = licences.find(({ repositories }) => repositories.test(row.repository))
    const spec = (tower: string): ModelSpec => ({
      name: `clip:${tower}/${row.tag}`,
      architecture: `clip:${tower}`,
      classes: 'zero-shot',
      recipe: tagRecipe({ ...row, cropPct: 1, size: Number(row.size) }),
      weights: {
        from: 'hub',
        repo: row.repository,
        file: `${row.files}model.safetensors`,
        otherwise: row.files === 'open_clip_' ? 'open_clip_pytorch_model.bin' : 'pytorch_model.bin',
      },
      licence: known?.licence ?? 'unknown',
      licenceSource: known?.source,
      source: 'OpenCLIP',
    })
    if (row.activation === 'gelu') return [spec(row.tower)]
    const trained = spec(`${row.tower}-quickgelu`)
    return [trained, { ...spec(row.tower), note: quickGeluNote(trained.name) }]
  })
}

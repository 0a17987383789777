/** Models that neither timm nor OpenCLIP lists: checkpoints of papers' authors and of transformers on the hub. */
import { normalizations } from './tagPreprocessing.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'
import { type ModelSpec, type WeightSource } from './spec.ts'

const bilinearRecipe: PreprocessingConfig = {
  ...normalizations.imagenet,
  interpolation: 'bilinear',
  cropPct: 0.875,
  size: 224,
}
const bicubicRecipe: PreprocessingConfig = { ...bilinearRecipe, interpolation: 'bicubic' }

function publishedRow(
  name: string,
  weights: WeightSource,
  facts: Pick<ModelSpec, 'licence' | 'source'> & Partial<ModelSpec>,
): ModelSpec {
  return {
    name,
    architecture: name.split('.', 1)[0]!,
    classes: 'imagenet-1k',
    recipe: bilinearRecipe,
    weights,
    ...facts,
  }
}

const driveWeights = (id: string, page: string): WeightSource => ({
  from: 'url',
  files: [
    { url: `https://drive.usercontent.google.com/download?id=${id}&export=download&confirm=t` },
  ],
  page,
})

const dropboxWeights = (folder: string): WeightSource => ({
  from: 'hand',
  file: 'model_best.pth.tar',
  page: `https://www.dropbox.com/sh/${folder}?dl=0`,
})

const bitbucketUrl = 'https://bitbucket.org/robert_geirhos/texture-vs-shape-pretrained-models/raw'
const stylizedWeights: WeightSource = {
  from: 'url',
  files: [
    {
      url: `${bitbucketUrl}/60b770e128fffcbd8562a3ab3546c1a735432d03/resnet50_finetune_60_epochs_lr_decay_after_30_start_resnet50_train_45_epochs_combined_IN_SF-ca06340c.pth.tar`,
      sha256: 'ca06340c',
    },
  ],
  page: 'https://github.com/rgeirhos/texture-vs-shape',
}

const antialiasedModel = (depth: number, hash: string): ModelSpec =>
  publishedRow(
    `antialiased_resnet${depth}.lpf4_finetune`,
    {
      from: 'url',
      files: [
        {
          url: `https://antialiased-cnns.s3.us-east-2.amazonaws.com/weights_v0.1/resnet${depth}_lpf4_finetune-${hash}.pth`,
          sha256: hash,
        },
      ],
      page: 'https://github.com/adobe/antialiased-cnns',
    },
    {
      licence: 'cc-by-nc-sa-4.0',
      licenceSource: 'github.com/adobe/antialiased-cnns, LICENSE.md',
      source: 'antialiased_cnns 0.3',
    },
  )

const dinoModel = (size: 's' | 'b' | 'l'): ModelSpec => {
  const base = `https://dl.fbaipublicfiles.com/dinov2/dinov2_vit${size}14/dinov2_vit${size}14`
  const files = [{ url: `${base}_pretrain.pth` }, { url: `${base}_linear4_head.pth` }]
  return publishedRow(
    `dinov2_vit${size}14_lc.lvd142m`,
    { from: 'url', files, page: 'https://github.com/facebookresearch/dinov2' },
    {
      licence: 'apache-2.0',
      licenceSource: 'github.com/facebookresearch/dinov2, README.md',
      source: 'facebookresearch/dinov2',
      recipe: bicubicRecipe,
    },
  )
}

const hubWeights = (repo: string): WeightSource => ({
  from: 'hub',
  repo,
  file: 'model.safetensors',
  otherwise: 'pytorch_model.bin',
})

const seerModel = (size: number): ModelSpec =>
  publishedRow(`seer${size}.in1k`, hubWeights(`facebook/regnet-y-${size}-seer-in1k`), {
    licence: 'apache-2.0',
    licenceSource: 'model card of facebook/regnet-y-320-seer-in1k',
    source: 'transformers',
    recipe: bicubicRecipe,
  })

const squashedRecipe: PreprocessingConfig = {
  ...bicubicRecipe,
  ...normalizations.clip,
  cropPct: 1,
  squash: true,
}
const augmix = {
  licence: 'apache-2.0',
  licenceSource: 'github.com/google-research/augmix, LICENSE',
  source: 'google-research/augmix',
}
const cutmix = {
  licence: 'mit',
  licenceSource: 'github.com/clovaai/CutMix-PyTorch, LICENSE',
  source: 'clovaai/CutMix-PyTorch',
}
const deepAugment = {
  licence: 'mit',
  licenceSource: 'github.com/hendrycks/imagenet-r, LICENSE',
  source: 'hendrycks/imagenet-r',
}
const deepAugmentPage = 'https://github.com/hendrycks/imagenet-r'

export const publishedModels: readonly ModelSpec[] = [
  publishedRow(
    'resnet50.cutmix',
    dropboxWeights('w8dvfgdc3eirivf/AABnGcTO9wao9xVGWwqsXRala'),
    cutmix,
  ),
  publishedRow(
    'resnet50.cutmix_baseline',
    dropboxWeights('phwbbrtadrclpnx/AAA9QUW9G_xvBdI-mDiIzP_Ha'),
    cutmix,
  ),
  publishedRow(
    'resnet50.augmix',
    driveWeights('1z-1V3rdFiwqSECz7Wkmn4VJVefJGJGiF', 'https://github.com/google-research/augmix'),
    augmix,
  ),
  publishedRow(
    'resnet50.deepaugment',
    driveWeights('1DPRElQnBG66nd7GUphVm1t-5NroL7t7k', deepAugmentPage),
    deepAugment,
  ),
  publishedRow(
    'resnet50.deepaugment_augmix',
    driveWeights('1QKmc_p6-qDkh51WvsaS9HKFv8bX5jLnP', deepAugmentPage),
    deepAugment,
  ),
  publishedRow('resnet50.stylized_finetune', stylizedWeights, {
    licence: 'unknown',
    source: 'rgeirhos/texture-vs-shape',
  }),
  antialiasedModel(18, '8cc58f59'),
  antialiasedModel(34, 'db622952'),
  antialiasedModel(50, 'cad66808'),
  antialiasedModel(101, '9280acb0'),
  ...(['s', 'b', 'l'] as const).map(dinoModel),
  ...[320, 640, 1280].map(seerModel),
  publishedRow('flava.full', hubWeights('facebook/flava-full'), {
    licence: 'bsd-3-clause',
    licenceSource: 'model card of facebook/flava-full',
    source: 'transformers',
    recipe: squashedRecipe,
    classes: 'zero-shot',
  }),
]

import { unknownName } from '../errors.ts'
import { type Recipe } from '../preprocessing/steps.ts'
import { architectures } from './architectures.ts'
import { type ModelSpec } from './spec.ts'

const imagenet: Recipe = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: 'bicubic',
  cropPct: 0.875,
  size: 224,
}
const half: Recipe = { ...imagenet, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

/** timm 1.0.31: default tag and preprocessing of each architecture (pretrained_cfg). */
const timm: Readonly<Record<string, { tag: string; recipe: Recipe }>> = {
  resnet18: { tag: 'a1_in1k', recipe: { ...imagenet, cropPct: 0.95 } },
  resnet34: { tag: 'a1_in1k', recipe: { ...imagenet, cropPct: 0.95 } },
  resnet50: { tag: 'a1_in1k', recipe: { ...imagenet, cropPct: 0.95 } },
  resnet101: { tag: 'a1h_in1k', recipe: { ...imagenet, cropPct: 0.95 } },
  resnet152: { tag: 'a1h_in1k', recipe: { ...imagenet, cropPct: 0.95 } },
  tf_efficientnet_lite0: { tag: 'in1k', recipe: half },
  mobilenetv3_small_050: { tag: 'lamb_in1k', recipe: imagenet },
  mobilenetv3_small_075: { tag: 'lamb_in1k', recipe: imagenet },
  mobilenetv3_small_100: { tag: 'lamb_in1k', recipe: imagenet },
  vit_tiny_patch16_224: { tag: 'augreg_in21k_ft_in1k', recipe: { ...half, cropPct: 0.9 } },
  vit_base_patch16_224: { tag: 'augreg2_in21k_ft_in1k', recipe: { ...half, cropPct: 0.9 } },
  vit_large_patch16_224: { tag: 'augreg_in21k_ft_in1k', recipe: { ...half, cropPct: 0.9 } },
}

/** Names that a person can ask for. */
export const modelNames = (): string[] => Object.keys(timm).filter(name => name in architectures)

/** A model by timm's name, with or without a tag: `resnet50`, `resnet50.a1_in1k`. */
export function resolveModel(name: string): ModelSpec {
  const [architecture, tag] = name.split('.', 2) as [string, string | undefined]
  const row = timm[architecture]
  if (!row) throw unknownName('model', name, modelNames())
  const full = `${architecture}.${tag ?? row.tag}`
  return {
    name: full,
    architecture,
    classes: 'imagenet-1k',
    recipe: row.recipe,
    weights: { from: 'hub', repo: `timm/${full}`, file: 'model.safetensors' },
  }
}

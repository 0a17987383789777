/** FLAVA's image and text towers (Singh et al. 2021), as transformers' FlavaModel computes them. */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { paddingMask, separateProjection } from '../../lib/onnx/blocks/attention.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { patchEmbed, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { add, gather, pick, slice } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type DualEncoder } from './family.ts'

const width = 768
const vocabulary = 30522
const positions = 512
const epsilon = 1e-12
const blockOptions = { heads: 12, epsilon, project: separateProjection }

/** image [n, 3, h, w] -> the projected class token [n, 768] */
const imageTower: Layer = (w, image) => {
  const tower = w.at('image_model')
  const embeddings = tower.at('embeddings')
  const patches = patchEmbed(embeddings.at('patch_embeddings.projection'), image, {
    patch: 16,
    dim: width,
  })
  const x = prependTokens(embeddings.get('cls_token', [1, 1, width]), patches)
  const placed = add(x, embeddings.get('position_embeddings', [1, sizeAt(x, 1), width]))
  return projectedToken(
    w.at('image_projection'),
    tower,
    transformer(tower.each('encoder.layer', 12), placed, blockOptions),
  )
}

/** tokens int64 [n, length] and mask int64 [n, length], 0 on padding -> the projected class token [n, 768] */
const textTower: Block<Tensor> = (w, tokens, mask) => {
  const tower = w.at('text_model')
  const embeddings = tower.at('embeddings')
  const table = (name: string, rows: number): Tensor =>
    embeddings.at(name).get('weight', [rows, width])
  const length = sizeAt(tokens, 1)
  const firstType = slice(table('token_type_embeddings', 2), 0, [0, 1])
  const places = slice(table('position_embeddings', positions), 0, [0, length])
  const words = gather(table('word_embeddings', vocabulary), tokens)
  const x = layerNorm(embeddings.at('LayerNorm'), add(add(words, firstType), places), epsilon)
  const y = transformer(tower.each('encoder.layer', 12), x, {
    ...blockOptions,
    mask: paddingMask(mask),
  })
  return projectedToken(w.at('text_projection'), tower, y)
}

function projectedToken(w: ParameterScope, tower: ParameterScope, x: Tensor): Tensor {
  return linear(w, layerNorm(tower.at('layernorm'), pick(x, 1, 0), epsilon), width)
}

/** `flava.` stands before every name in the checkpoint for pretraining. */
const names: DualEncoder['names'] = {
  rename: [
    [/^(?:flava\.)?(.+)\.attention\.attention\./, '$1.attn.'],
    [/^(?:flava\.)?(.+)\.attention\.output\.dense\./, '$1.attn.proj.'],
    [/^(?:flava\.)?(.+)\.intermediate\.dense\./, '$1.mlp.fc1.'],
    [/^(?:flava\.)?(.+\.layer\.\d+)\.output\.dense\./, '$1.mlp.fc2.'],
    [/^(?:flava\.)?(.+)\.layernorm_before\./, '$1.norm1.'],
    [/^(?:flava\.)?(.+)\.layernorm_after\./, '$1.norm2.'],
    [/^flava\./, ''],
  ],
  ignore: [
    /^(flava\.)?(multimodal_model|(image|text)_to_mm_projection|logit_scale)(\.|$)/,
    /^(flava\.)?(image|text)_model\.pooler\./,
    /^(flava\.)?image_model\.embeddings\.mask_token$/,
    /^(flava\.)?text_model\.embeddings\.position_ids$/,
    /^(image_codebook|mim_head|mlm_head|itm_head|mmm_image_head|mmm_text_head|global_contrastive_head)\./,
  ],
}

export const flavas: Record<string, DualEncoder> = {
  flava: {
    kind: 'dual',
    family: 'flava',
    names,
    embeddingWidth: width,
    tokenizer: { contextLength: 77, cleaning: 'none', padding: 0 },
    prompt: 'a photo of a {}',
    encodeImage: imageTower,
    encodeText: textTower,
    logitScale: 1,
  },
}

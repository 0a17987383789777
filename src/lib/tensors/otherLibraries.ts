/** How names become others; the first rule that fits is used. */
export type RenameRules = readonly (readonly [pattern: RegExp, replacement: string])[]

/** Returns a name after the first rule that fits, or as it is. */
export function renamed(name: string, rules: RenameRules): string {
  const rule = rules.find(([pattern]) => pattern.test(name))
  return rule ? name.replace(rule[0], rule[1]) : name
}

/** How a library other than the reference library names the tensors of its checkpoints. */
interface ForeignNames {
  library: string
  /** A name that only this library has. */
  mark: RegExp
  /** From its names to the reference library's, where the tensors are the same. */
  rename?: RenameRules
  /** Why names do not suffice. */
  reason?: string
}

const vitBlock = (pattern: string): RegExp =>
  new RegExp(`^encoder\\.layers\\.encoder_layer_(\\d+)\\.${pattern}`)

const foreignNames: readonly ForeignNames[] = [
  {
    library: "torchvision's Vision Transformer",
    mark: /^encoder\.layers\.encoder_layer_\d+\./,
    rename: [
      [/^class_token$/, 'cls_token'],
      [/^conv_proj\./, 'patch_embed.proj.'],
      [/^encoder\.pos_embedding$/, 'pos_embed'],
      [/^encoder\.ln\./, 'norm.'],
      [/^heads\.head\./, 'head.'],
      [vitBlock('ln_([12])\\.'), 'blocks.$1.norm$2.'],
      [vitBlock('self_attention\\.in_proj_'), 'blocks.$1.attn.qkv.'],
      [vitBlock('self_attention\\.out_proj\\.'), 'blocks.$1.attn.proj.'],
      [vitBlock('mlp\\.(?:linear_1|0)\\.'), 'blocks.$1.mlp.fc1.'],
      [vitBlock('mlp\\.(?:linear_2|3)\\.'), 'blocks.$1.mlp.fc2.'],
    ],
  },
  {
    library: "MMPretrain's Vision Transformer",
    mark: /^backbone\.layers\.\d+\.ffn\.layers\./,
    rename: [
      [/^backbone\.(cls_token|pos_embed)$/, '$1'],
      [/^backbone\.patch_embed\.projection\./, 'patch_embed.proj.'],
      [/^backbone\.ln1\./, 'norm.'],
      [/^head\.layers\.head\./, 'head.'],
      [/^backbone\.layers\.(\d+)\.ln([12])\./, 'blocks.$1.norm$2.'],
      [/^backbone\.layers\.(\d+)\.attn\./, 'blocks.$1.attn.'],
      [/^backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\./, 'blocks.$1.mlp.fc1.'],
      [/^backbone\.layers\.(\d+)\.ffn\.layers\.1\./, 'blocks.$1.mlp.fc2.'],
    ],
  },
  {
    library: "MMPretrain's ResNet",
    mark: /^backbone\.layer1\.0\.conv1\./,
    rename: [
      [/^backbone\.(.*)$/, '$1'],
      [/^head\.fc\./, 'fc.'],
    ],
  },
  {
    library: 'MMPretrain',
    mark: /^backbone\./,
    reason: 'its layers are split in other ways',
  },
  {
    library: 'efficientnet_pytorch',
    mark: /^_blocks\.\d+\._/,
    reason: 'it counts blocks through all stages',
  },
  {
    library: 'torchvision',
    mark: /^(?:features\.\d+\.\d+|trunk_output\.block\d)\./,
    reason: 'its layers are split in other ways',
  },
  {
    library: 'transformers',
    mark: /^(?:\w+\.)?(?:encoder\.(?:layers?|stages|block)\.\d|embeddings\.|(?:vision|text)_model\.)|^mobilenet_v\d\./,
    reason: 'it keeps queries, keys and values apart',
  },
]

/** Returns the library whose names these are, or undefined if none is known. */
export const foreignLibrary = (names: readonly string[]): ForeignNames | undefined =>
  foreignNames.find(({ mark }) => names.some(name => mark.test(name)))

/** Returns what to do about names of another library, for the end of a message. */
export const foreignAdvice = ({ library, reason }: ForeignNames): string =>
  `the names are those of ${library}${reason === undefined ? '' : `, and ${reason}`}: export the model to ONNX there, then geogap models describe FILE.onnx`

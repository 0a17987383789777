/**
 * Writes docs/reference/models.md, the table of the testbed, from the catalogue: `npm run docs:models`. A test compares the page
 * with what this draws.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { modelNames } from '../src/models/catalog.ts'
import { type ModelRow, testbedRows } from '../src/models/listing.ts'
import { modelTable } from '../src/report/tables/modelTable.ts'
import { formatTable } from '../src/lib/table/formats.ts'

export const page = new URL('../docs/reference/models.md', import.meta.url)

/** The text of docs/reference/models.md. */
export function modelPage(): string {
  const rows = testbedRows()
  const weights = formatTable<ModelRow>(
    [
      { name: 'model', heading: 'model', value: row => row.model },
      { name: 'source', heading: 'published by', value: row => row.source },
      { name: 'weights', heading: 'weights', value: row => row.weights },
    ],
    rows,
    'markdown',
  )
  const reasons = rows
    .filter(({ note }) => note !== '')
    .map(({ model, note }) => `- \`${model}\`: ${note}.`)
  const known = new Map(rows.map(({ pretraining, images }) => [pretraining, images!]))
  const sizes = [...known]
    .sort((a, b) => a[1] - b[1])
    .map(([name, images]) => `${name} ${images.toLocaleString('en')}`)
  return `# Models

\`geogap models\` prints this table, \`geogap models NAME\` one model in full, and \`--where\` filters by any field, as in
\`geogap models --where evaluation=zero-shot 'images>1e9'\`.

A model can be named

- by its reference library's name with a tag: \`resnet50.a1_in1k\` (timm), \`clip:ViT-B-32-quickgelu/laion400m_e31\` (OpenCLIP).
  ${modelNames().length} such names are known (\`geogap models --all\`);
- by the paper's name, which stands for the tag that this table pins: \`clip-vit32-laion400m\`, \`seer1280\`;
- by an architecture's name, which stands for timm's default tag unless the paper uses the name: \`vit_tiny_patch16_224\`;
- as \`MODEL@FILE\`, with weights of your own: \`resnet50@runs/best.pth\`;
- with an input size: \`MODEL:test\` is the size and crop at which timm validates and publishes (column "test input"; \`resnet50.a3_in1k\`
  has 76.0 % at its own 160 pixels and 78.1 % at its test size of 224), \`MODEL:288\` is any size that the architecture takes. Tables of
  positions are resized as timm and OpenCLIP do it. Convolutional networks, plain vision transformers, EVA, BEiT, Swin and CLIP's towers
  take nearly every size; MaxViT, CoAtNet, Twins, MViT and CoaT multiples of 32, XCiT multiples of its patch, Swin V2 sizes whose grids
  its windows divide (128, 256, 512). CaiT, ConViT, CrossViT, GCViT, Hiera, LeViT, MLP-Mixer, NesT, PiT, ResMLP, Visformer and VOLO take
  their own alone, as in timm. The error of a size that does not fit names the nearest that do. Each size is a model of its own in results;
- as a \`model.json\` beside weights or an ONNX file, or as \`hf:OWNER/REPO\`: [models of your own](../guides/own-model.md).

Parameters and multiply-adds are counted on the graph that runs, at the model's own input size. Where there are two
towers, parameters are those of both and multiply-adds those of one image.

${modelTable(rows, 'markdown')}
Images of the pretraining data, as its authors count them: ${sizes.join('; ')}.

## Every model

ImageNet top-1 is what timm publishes at the model's own input size.

<ModelTable />

## Why these tags

${reasons.join('\n')}

## What does not run

All tags of OpenCLIP 3.3.0 run, and all tags of timm 1.0.31 with 1,000 classes or no head whose weights its registry names. NaFlexViT's models get square images of one size, as \`timm.create_model\` gives them, not images of any aspect.

## Where the weights are

${weights}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(page, modelPage())

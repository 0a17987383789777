/** An ONNX file of your own, as torch.onnx.export writes it; model.json says what the file cannot (docs/guides/own-model.md). */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { evaluate } from 'geogap'

await mkdir('mine', { recursive: true })
await rename('tiny.onnx', 'mine/tiny.onnx')
const description = {
  onnx: 'tiny.onnx',
  input: { name: 'pixels', layout: 'NCHW', dtype: 'float32' },
  output: { name: 'logits', kind: 'logits' },
  preprocessing: [
    { step: 'resize', size: 36, interpolation: 'bilinear' },
    { step: 'centerCrop', size: 32 },
    { step: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  ],
  classes: ['house', 'stove', 'chair', 'cup', 'bed', 'lamp', 'broom', 'door'],
}
await writeFile('mine/model.json', JSON.stringify(description))

const run = await evaluate({
  models: ['mine/model.json'],
  datasets: [{ name: 'demo/world/households.csv', classes: 'demo/world/classes.txt' }],
  out: 'results-onnx',
})
console.table(run.accuracy())

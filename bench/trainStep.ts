/*
 * Milliseconds of one training step of vit_tiny, all parameters, batch 8, Adam, against PyTorch (peer_train.py; the better
 * of both memory formats), in turn.
 *
 *   npx tsx bench/trainStep.ts PYTHON [--steps 12] [--rounds 3]
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Tensor as Value } from 'onnxruntime-node'
import { crossEntropies } from '../src/lib/onnx/blocks/loss.ts'
import { addInput } from '../src/lib/onnx/graph.ts'
import { adam } from '../src/lib/onnx/optimizers.ts'
import { findArchitecture } from '../src/models/architectures.ts'
import { initialWeights } from '../src/models/initialWeights.ts'
import { randomFor } from '../src/lib/random.ts'
import { type Objective } from '../src/experiments/training/step.ts'
import { createTrainer } from '../src/experiments/training/trainer.ts'
import { cores, inChild, inTurn, median, printedBy, printTable } from './common.ts'

const self = fileURLToPath(import.meta.url)
const peer = fileURLToPath(new URL('peer_train.py', import.meta.url))
const [model, batch, size] = ['vit_tiny_patch16_224', 8, 224]
const { values, positionals } = parseArgs({
  options: { steps: { type: 'string', default: '12' }, rounds: { type: 'string', default: '3' } },
  allowPositionals: true,
})

const objective: Objective = (graph, w) => {
  const known = findArchitecture(model)
  if (known.kind !== 'classifier') throw new Error(`${model} is not a classifier`)
  const { logits } = known.build(w, addInput(graph, 'image', { shape: ['n', 3, size, size] }), 1000)
  return crossEntropies(logits, addInput(graph, 'labels', { dtype: 'int64', shape: ['n'] }))
}

/** Prints the median. */
async function ours(): Promise<void> {
  const draw = randomFor(1, 'bench')
  const image = Float32Array.from({ length: batch * 3 * size * size }, () => 4 * draw() - 2)
  const labels = BigInt64Array.from({ length: batch }, (_, i) => BigInt(i))
  const feeds = {
    image: new Value('float32', image, [batch, 3, size, size]),
    labels: new Value('int64', labels, [batch]),
  }
  const task = {
    objective,
    optimizer: adam({ rate: 1e-4 }),
    parameters: initialWeights(model, 1000, 1),
  }
  const trainer = await createTrainer(task)
  const times: number[] = []
  for (let step = 0; step < Number(values.steps) + 2; step++) {
    const started = performance.now()
    await trainer.step(feeds)
    times.push(performance.now() - started)
  }
  await trainer.release()
  process.stdout.write(`${median(times.slice(2))}\n`)
}

const [python = 'python3'] = positionals
if (python === 'child') await ours()
else {
  const { geogap, torch } = await inTurn(Number(values.rounds), {
    geogap: () => inChild(self, ['--steps', values.steps]),
    torch: () => printedBy(python, [peer, model, String(batch), values.steps, String(cores)]),
  })
  const row = [model, geogap.toFixed(0), torch.toFixed(0), (geogap / torch).toFixed(2)]
  await printTable(['step of 8 images', 'geogap, ms', 'PyTorch, ms', 'ratio'], [row])
}

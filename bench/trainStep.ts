/** Milliseconds of one training step of vit_tiny, all parameters, batch 8, Adam. Run: npx tsx bench/trainStep.ts [steps] */
import { Tensor as Value } from 'onnxruntime-node'
import { crossEntropies } from '../src/graph/blocks/loss.ts'
import { input } from '../src/graph/graph.ts'
import { adam } from '../src/graph/optimizers.ts'
import { architecture } from '../src/models/architectures.ts'
import { freshWeights } from '../src/models/fresh.ts'
import { random } from '../src/random.ts'
import { type Objective } from '../src/training/step.ts'
import { createTrainer } from '../src/training/trainer.ts'

const [model, batch, size] = ['vit_tiny_patch16_224', 8, 224]
const steps = Number(process.argv[2] ?? 12)

const objective: Objective = (graph, w) => {
  const known = architecture(model)
  if (known.kind !== 'classifier') throw new Error(`${model} is not a classifier`)
  const { logits } = known.build(w, input(graph, 'image', 'float32', ['n', 3, size, size]), 1000)
  return crossEntropies(logits, input(graph, 'labels', 'int64', ['n']))
}

async function main(): Promise<void> {
  const draw = random(1, 'bench')
  const image = Float32Array.from({ length: batch * 3 * size * size }, () => 4 * draw() - 2)
  const feeds = {
    image: new Value('float32', image, [batch, 3, size, size]),
    labels: new Value(
      'int64',
      BigInt64Array.from({ length: batch }, (_, i) => BigInt(i)),
      [batch],
    ),
  }
  const trainer = await createTrainer({
    objective,
    optimizer: adam({ rate: 1e-4 }),
    parameters: freshWeights(model, 1000, 1),
  })
  const times: number[] = []
  for (let step = 0; step < steps + 2; step++) {
    const started = performance.now()
    await trainer.step(feeds)
    times.push(performance.now() - started)
  }
  await trainer.release()
  const sorted = times.slice(2).sort((a, b) => a - b)
  const rss = process.resourceUsage().maxRSS / 1024
  console.log(
    `${model}, batch ${batch}: median ${sorted[sorted.length >> 1]!.toFixed(0)} ms, least ${sorted[0]!.toFixed(0)} ms, ${rss.toFixed(0)} MB at most`,
  )
}

await main()

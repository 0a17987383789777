/*
 * What building a graph and binding weights costs: the time from a weight file to a session by our path, next to the time
 * that ONNX Runtime alone takes to load the same graph from an ordinary ONNX file with external data, aligned as exporters
 * write it, and to that of reading the weight file. Every measurement has a process of its own, the three take turns, and the
 * least time of each counts. `--cold` takes the files out of the system's memory before each.
 *
 *     node --import tsx bench/load.ts [--runs 5] [--cold] [MODEL …]
 */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Graph } from '../src/lib/onnx/graph.ts'
import { type ParameterBinding, encodeModel } from '../src/lib/onnx/encode.ts'
import { volume } from '../src/lib/onnx/shapes.ts'
import { createSession } from '../src/models/runtime/session.ts'
import { findArchitecture } from '../src/models/architectures.ts'
import { bindWeights } from '../src/lib/tensors/bindWeights.ts'
import { classifierGraph } from '../src/models/runtime/loadModel.ts'
import { readWeights } from '../src/lib/tensors/readWeights.ts'
import { paperSteps } from '../src/lib/pixels/steps.ts'

const usual = [
  'resnet50',
  'convnext_base',
  'vit_base_patch16_224',
  'clip:ViT-L-14',
  'regnety_320',
  'eva_giant_patch14_224',
]
const classes = 1000
const { values, positionals } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    cold: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
  allowPositionals: true,
})

if (values.child === undefined)
  for (const name of positionals.length > 0 ? positionals : usual) await compare(name)
else await measure(values.child, positionals[0]!, positionals[1]!)

async function compare(name: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-load-'))
  try {
    const bytes = await writeModel(folder, graphOf(name))
    const times = { ours: Infinity, alone: Infinity, read: Infinity }
    for (let run = 0; run < Number(values.runs); run++)
      for (const path of Object.keys(times) as (keyof typeof times)[])
        times[path] = Math.min(times[path], timed(path, name, folder))
    const [ours, alone, read] = [times.ours, times.alone, times.read]
    const beside = (name: string, time: number): string =>
      `${name} ${time.toFixed(0)} ms (${(ours / time).toFixed(2)})`
    const figures = `${ours.toFixed(0)} ms; ${beside('ONNX Runtime alone', alone)}, ${beside('reading alone', read)}`
    process.stdout.write(
      `${name.padEnd(24)} ${(bytes / 1e6).toFixed(0).padStart(5)} MB  ${figures}\n`,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function graphOf(name: string): Graph {
  const known = findArchitecture(name)
  const head =
    known.kind === 'classifier'
      ? undefined
      : new Float32Array(classes * known.embeddingWidth).fill(0.01)
  return classifierGraph({ architecture: name, classes }, paperSteps, head)
}

function timed(path: string, name: string, folder: string): number {
  const self = fileURLToPath(import.meta.url)
  if (values.cold)
    for (const file of ['model.safetensors', 'export/model.data'])
      spawnSync('dd', [`if=${join(folder, file)}`, 'iflag=nocache', 'count=0', 'status=none'])
  const args = ['--import', 'tsx', self, '--child', path, name, folder]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name}, ${path}: ${stderr}`)
  return Number(stdout)
}

async function measure(path: string, name: string, folder: string): Promise<void> {
  await import('onnxruntime-node')
  const started = performance.now()
  if (path === 'read') await readFile(join(folder, 'model.safetensors'))
  else if (path === 'ours') await ours(name, folder)
  else await createSession(join(folder, 'export/model.onnx'))
  process.stdout.write(String(performance.now() - started))
}

/** What a worker does with a model. */
async function ours(name: string, folder: string) {
  const graph = graphOf(name)
  const { folder: place, bind } = await bindWeights(graph, [
    await readWeights(join(folder, 'model.safetensors')),
  ])
  return createSession(encodeModel(graph, { outputs: ['logits'], bind }), { folder: place })
}

/** The graph's weights as safetensors, and the graph with the same weights as an exporter would have written it. */
async function writeModel(folder: string, graph: Graph): Promise<number> {
  const sizes = new Map(
    [...graph.parameters].map(([name, { tensor }]) => [name, 4 * volume(tensor.shape)]),
  )
  const header: Record<string, unknown> = {}
  const [packed, aligned] = [new Map<string, number>(), new Map<string, number>()]
  let [at, place] = [0, 0]
  for (const [name, length] of sizes) {
    header[name] = {
      dtype: 'F32',
      shape: graph.parameters.get(name)!.tensor.shape,
      data_offsets: [at, at + length],
    }
    packed.set(name, at)
    if (length > 1 << 20) place = Math.ceil(place / 65_536) * 65_536
    aligned.set(name, place)
    ;[at, place] = [at + length, place + length]
  }
  const json = JSON.stringify(header)
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const start = Buffer.alloc(8)
  start.writeBigUInt64LE(BigInt(text.length))
  await writeNoise(join(folder, 'model.safetensors'), at, Buffer.concat([start, text]))
  await mkdir(join(folder, 'export'))
  await writeNoise(join(folder, 'export/model.data'), place)
  const bind = (name: string): ParameterBinding => ({
    dtype: 'float32',
    file: 'model.data',
    offset: aligned.get(name)!,
    length: sizes.get(name)!,
  })
  await writeFile(
    join(folder, 'export/model.onnx'),
    encodeModel(graph, { outputs: ['logits'], bind }),
  )
  return at
}

/** Small positive values: their size does not matter, only that none is a denormal number. */
async function writeNoise(
  file: string,
  bytes: number,
  head: Uint8Array = new Uint8Array(),
): Promise<void> {
  const block = Float32Array.from({ length: 1 << 22 }, (_, i) => 0.01 + (i % 97) / 5000)
  const handle = await open(file, 'w')
  try {
    await handle.write(head)
    for (let done = 0; done < bytes; done += block.byteLength) {
      await handle.write(new Uint8Array(block.buffer, 0, Math.min(block.byteLength, bytes - done)))
    }
  } finally {
    await handle.close()
  }
}

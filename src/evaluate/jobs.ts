import { type ImageCost, estimateCost, secondsPerImage, combineCosts } from './imageCost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type Engine, nonDefaultEngine } from '../lib/onnx/engine.ts'
import { type InferenceGroup } from './workers/messages.ts'
import { type LocalModel } from '../models/spec.ts'
import { type KeptOutput } from '../results/schema.ts'
import {
  centerCrop,
  describeSteps,
  type PreprocessingMode,
  nativeSteps,
  paperStepsFor,
  type PreprocessingConfig,
  splitSteps,
  type PreprocessingStep,
  trim,
} from '../lib/pixels/steps.ts'
import { splitRange, totalLength, type IndexRange } from '../lib/ranges.ts'

/** One model on one data set, with the parts that no shard covers yet. */
export interface ModelTask {
  model: LocalModel
  /** Bytes of its weights, and multiply-adds for one image; they determine groups and batches. */
  bytes: number
  multiplyAdds: number
  /** Seconds per image for the size of shards; by default estimated from the multiply-adds. */
  cost?: ImageCost
  steps: readonly PreprocessingStep[]
  missing: readonly IndexRange[]
}

interface JobPlanOptions extends Engine {
  cores: number
  batch?: number | undefined
  keep?: KeptOutput | undefined
  /** Bytes of memory that may be used. */
  memoryBytes?: number
  /** Images of a shard, when several machines must cut alike; chosen for this machine by default. */
  shardSize?: number | undefined
  /** Largest number of images in a shard. */
  maxShardSize?: number | undefined
}

/** Shards for one set of child processes: the models share crops, and each shard lists the models that need it. */
export interface EvaluationJob {
  group: InferenceGroup
  shards: IndexRange[]
  processes: number
  cost: ImageCost
}

/** Returns a model's own steps or the paper's, before adaptation to the data set. */
export const modelSteps = (
  recipe: PreprocessingConfig,
  mode: PreprocessingMode,
): readonly PreprocessingStep[] => (mode === 'paper' ? paperStepsFor(recipe) : nativeSteps(recipe))

/** A model's steps on a data set: its own or the paper's, adapted to what the data set's images need. */
export function stepsFor(
  recipe: PreprocessingConfig,
  mode: PreprocessingMode,
  prepare: Dataset['imageFixes'],
): readonly PreprocessingStep[] {
  const steps = modelSteps(recipe, mode)
  const sized =
    prepare?.resize === false ? [centerCrop(splitSteps(steps).size), steps.at(-1)!] : steps
  return prepare?.border ? [trim(prepare.border), ...sized] : sized
}

const maxGroupBytes = 300e6
const maxGroupModels = 16

/**
 * Returns tasks on one data set as jobs: models with the same steps and the same missing parts share one pass over the images as
 * long as their weights fit together. Equal tasks give equal jobs.
 */
export function planJobs(
  tasks: readonly ModelTask[],
  choices: InferenceGroup['choices'],
  options: JobPlanOptions,
): EvaluationJob[] {
  return groupTasks(tasks.filter(({ missing }) => missing.length > 0)).map(members =>
    planJob(members, choices, options),
  )
}

/** Tasks that share one pass over the images, in the order of their first. */
export function groupTasks<T extends GroupableTask>(tasks: readonly T[]): T[][] {
  const groups: T[][] = []
  for (const task of tasks) {
    const group = groups.find(members => canShareCrops(members, task))
    if (group) group.push(task)
    else groups.push([task])
  }
  return groups
}

type GroupableTask = Pick<ModelTask, 'steps' | 'missing' | 'bytes'>

function canShareCrops(members: readonly GroupableTask[], task: GroupableTask): boolean {
  const first = members[0]!
  const same =
    describeSteps(first.steps) === describeSteps(task.steps) &&
    JSON.stringify(first.missing) === JSON.stringify(task.missing)
  return (
    same &&
    members.length < maxGroupModels &&
    members.reduce((sum, member) => sum + member.bytes, task.bytes) <= maxGroupBytes
  )
}

function planJob(
  members: readonly ModelTask[],
  choices: InferenceGroup['choices'],
  {
    cores,
    batch,
    memoryBytes: memory = Infinity,
    keep,
    shardSize: size,
    maxShardSize: atMost = Infinity,
    ...options
  }: JobPlanOptions,
): EvaluationJob {
  const { steps, missing } = members[0]!
  const cost = combineCosts(
    members.map(({ cost, multiplyAdds }) => cost ?? estimateCost(multiplyAdds)),
  )
  const adds = members.reduce((sum, member) => sum + member.multiplyAdds, 0)
  const bytes = members.reduce((sum, member) => sum + member.bytes, 0)
  const engine = nonDefaultEngine(options)
  const most = engine.device
    ? processesInMemory(memory, bytes, Math.min(cores, processesPerDevice))
    : processesForCores(cores, processesInMemory(memory, bytes, cores))
  const images = totalLength(missing)
  const own = evenShardSize(images, most, Math.min(atMost, shardSize(cost)))
  const shards = interleaveShards(missing, size ?? own)
  const busy = Math.min(most, shards.length)
  const threads = Math.max(1, Math.floor(cores / busy))
  const processes = Math.min(busy, processesForWork(images * secondsPerImage(cost)))
  const group: InferenceGroup = {
    models: members.map(({ model }) => model),
    steps,
    choices,
    ...batchSizes({ multiplyAdds: adds / members.length, threads, ...engine }, batch),
    threads,
    ...engine,
    keep,
  }
  return { group, shards, processes, cost }
}

/**
 * Returns the images of a shard, at most `largest`: whole eights, as many shards for each process, so that all end together. Few
 * images make one or two shards for each process, of 32 or more and whole fours, as eights would leave a process without work.
 */
const evenShardSize = (images: number, processes: number, largest: number): number => {
  const few = Math.min(2, Math.max(1, Math.floor(images / (32 * processes))))
  const rounds = Math.max(few, Math.ceil(images / (largest * processes)))
  const even = images / (rounds * processes)
  const step = even < 128 ? 4 : 8
  return Math.min(largest, Math.max(32, Math.ceil(even / step) * step))
}

/** Processes that share a device: some read and crop while another one computes. */
const processesPerDevice = 4

/** As many processes as memory has room for, each with weights of its own and half a gigabyte to work in, and at most `most`. */
const processesInMemory = (memory: number, bytes: number, most: number): number =>
  Math.max(1, Math.min(most, Math.floor(memory / (2 * bytes + 5e8))))

/** As many processes, at most `most`, as leave no more than a seventh of the cores without a thread. */
function processesForCores(cores: number, most: number): number {
  let processes = most
  while (7 * processes * Math.floor(cores / processes) < 6 * cores) processes -= 1
  return processes
}

/** Seconds of work that are worth a process: what it takes to start one. */
const minSecondsOfProcess = 0.5

/** As many processes as have enough to do, given seconds of a core. */
const processesForWork = (seconds: number): number =>
  Math.max(1, Math.ceil(seconds / minSecondsOfProcess))

/** Shards of at most `size` images, the first of every span, then the second and so on: all spans end together. */
function interleaveShards(spans: readonly IndexRange[], size: number): IndexRange[] {
  const shards = spans.flatMap(span => {
    const pieces = splitRange(span, size)
    return pieces.map((piece, i) => ({ piece, at: (i + 0.5) / pieces.length }))
  })
  return shards.sort((a, b) => a.at - b.at).map(({ piece }) => piece)
}

/**
 * Images are read many at a time, as storage may be far away. A core infers few of them at once, whose values stay in its cache; a
 * device has them all.
 */
function batchSizes(
  { multiplyAdds, threads, device }: { multiplyAdds: number; threads: number } & Engine,
  wanted: number | undefined,
): Pick<InferenceGroup, 'batch' | 'ahead'> {
  if (wanted !== undefined) return { batch: wanted }
  const ahead = multiplyAdds > 8e9 ? 8 : 16
  const batch = device ? ahead : Math.min(ahead, 4 * threads)
  return batch < ahead ? { batch, ahead } : { batch }
}

/**
 * Images in a shard: about 40 seconds of a core, at least 64 and at most 1,024; whole batches of any size that is picked here, so that
 * what was measured changes none.
 */
export const shardSize = (cost: ImageCost): number =>
  Math.min(1024, Math.max(64, 32 * Math.floor(40 / secondsPerImage(cost) / 32)))

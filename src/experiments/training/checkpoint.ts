/*
 * Saves the parameters and the optimizer's state after an epoch as safetensors files, and `checkpoint.json`, which names them.
 * That file is written last and atomically, so an interrupted run leaves the previous checkpoint; older files are removed after it.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { inputError, dataError } from '../../lib/errors.ts'
import { orIfMissing, writeAtomically, writeFully } from '../../lib/files.ts'
import {
  type NamedTensor,
  readSafetensors,
  writeSafetensors,
} from '../../lib/tensors/safetensors.ts'
import { readTensor } from '../../lib/tensors/tensors.ts'
import { jsonText } from '../../lib/table/text.ts'

const progressSchema = z.object({
  settings: z.record(z.string(), z.union([z.string(), z.number()])).readonly(),
  /** Whole epochs done. */
  epoch: z.number().int().positive(),
  /** Updates done. */
  steps: z.number().int().positive(),
  /** Mean loss of each epoch. */
  losses: z.array(z.number()).readonly(),
})
/** The content of checkpoint.json, which names the other two files. */
const manifestSchema = progressSchema.extend({ parameters: z.string(), slots: z.string() })

/** Settings that must be equal for a run to continue. */
export type TrainingSettings = z.infer<typeof progressSchema>['settings']

export interface TrainingCheckpoint extends z.infer<typeof progressSchema> {
  parameters: readonly NamedTensor[]
  slots: readonly NamedTensor[]
}

const manifestName = 'checkpoint.json'
/** Returns the name of the file of the parameters after an epoch. */
export const parametersFile = (epoch: number): string => `epoch-${epoch}.safetensors`

const checkpointFilePattern = /^epoch-\d+(\.state)?\.safetensors$/

/** Saves a checkpoint, removes all others of the folder, and returns the file of its parameters. Errors: bad-parameters. */
export async function saveCheckpoint(
  folder: string,
  checkpoint: TrainingCheckpoint,
): Promise<string> {
  const { parameters, slots, ...rest } = checkpoint
  requireFinite(parameters, checkpoint.epoch)
  await mkdir(folder, { recursive: true })
  const files = {
    parameters: parametersFile(rest.epoch),
    slots: `epoch-${rest.epoch}.state.safetensors`,
  }
  await writeSafetensors(join(folder, files.parameters), parameters)
  await writeSafetensors(join(folder, files.slots), slots)
  const text = jsonText({ ...rest, ...files })
  await writeAtomically(join(folder, manifestName), handle =>
    writeFully(handle, new TextEncoder().encode(text)),
  )
  const kept = Object.values(files)
  for (const name of await readdir(folder))
    if (checkpointFilePattern.test(name) && !kept.includes(name))
      await rm(join(folder, name), { force: true })
  return join(folder, files.parameters)
}

function requireFinite(parameters: readonly NamedTensor[], epoch: number): void {
  const broken = parameters.find(({ data }) => !data.every(value => Number.isFinite(value)))
  if (!broken) return
  const what = `${broken.name} has values that are not finite after epoch ${epoch}`
  throw dataError('bad-parameters', `${what}: the learning rate may be too large`)
}

/**
 * Loads the checkpoint of a folder; undefined if there is none.
 * @throws GeogapError `checkpoint-mismatch` if its run had other settings, `bad-checkpoint` if it is broken.
 */
export async function loadCheckpoint(
  folder: string,
  settings: TrainingSettings,
): Promise<TrainingCheckpoint | undefined> {
  const text = await orIfMissing(readFile(join(folder, manifestName), 'utf8'), undefined)
  if (text === undefined) return undefined
  const found = parseCheckpointManifest(folder, text)
  for (const [name, value] of Object.entries(settings)) {
    const other = found.settings[name]
    if (other !== value)
      throw inputError(
        'checkpoint-mismatch',
        `the run in ${folder} has ${name} ${other ?? 'unknown'}, not ${value}`,
      )
  }
  const read = async (file: string): Promise<NamedTensor[]> => {
    const { tensors } = await readSafetensors(join(folder, file))
    const all: NamedTensor[] = []
    for (const entry of tensors.values()) {
      const { name, shape } = entry
      all.push({ name, shape, data: (await readTensor(entry)) as Float32Array })
    }
    return all
  }
  return { ...found, parameters: await read(found.parameters), slots: await read(found.slots) }
}

function parseCheckpointManifest(folder: string, text: string): z.infer<typeof manifestSchema> {
  try {
    return manifestSchema.parse(JSON.parse(text))
  } catch (cause) {
    const message = `cannot read ${join(folder, manifestName)}: it is not a checkpoint; remove the folder to start anew`
    throw dataError('bad-checkpoint', message, cause)
  }
}

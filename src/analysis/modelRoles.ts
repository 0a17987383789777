import { type PreprocessingMode, preprocessingModes } from '../lib/pixels/steps.ts'
import { countText } from '../lib/table/text.ts'
import { familyFromName } from '../metrics/familyInference.ts'
import { findArchitecture } from '../models/architectures.ts'
import { findModel } from '../models/catalog.ts'
import { plainModelName } from '../models/promptedName.ts'
import { type Run } from '../results/run.ts'
import { isZeroShot } from '../results/schema.ts'

/** Returns the models that were evaluated with texts for classes, in the order of the run. */
export const zeroShotModels = ({ entries }: Pick<Run, 'entries'>): ReadonlySet<string> =>
  new Set(entries.flatMap(({ identity }) => (isZeroShot(identity) ? identity.model : [])))

/** The models of one line, all of one kind: models with a head, zero-shot models, or all where no kind has two. */
export interface LineModels {
  kind: 'heads' | 'zero-shot' | 'all'
  models: readonly string[]
}

/** Returns the models of each line, as zero-shot models follow another line than models with a head. */
export function lineModelSets(
  models: readonly string[],
  zeroShot: ReadonlySet<string>,
): LineModels[] {
  const sets: LineModels[] = [
    { kind: 'heads', models: models.filter(model => !zeroShot.has(model)) },
    { kind: 'zero-shot', models: models.filter(model => zeroShot.has(model)) },
  ]
  const enough = sets.filter(set => set.models.length > 1)
  return enough.length > 0 ? enough : [{ kind: 'all', models }]
}

/** `12 models that are not zero-shot`, `5 zero-shot models`, `2 models`. */
export function lineModelsText({ kind, models }: LineModels): string {
  if (kind === 'zero-shot') return countText(models.length, 'zero-shot model')
  const rest = kind === 'all' ? '' : ` that ${models.length === 1 ? 'is' : 'are'} not zero-shot`
  return `${countText(models.length, 'model')}${rest}`
}

/**
 * Returns the preprocessing whose results are shown, as modes are never mixed: the first of `preferred` that the run has, else
 * the mode of most evaluations (of equally many the first in the alphabet).
 */
export function shownPreprocessing(
  { entries }: Pick<Run, 'entries'>,
  preferred: readonly PreprocessingMode[] = [],
): PreprocessingMode {
  const modes = entries.map(({ identity }) => identity.preprocessing)
  const count = (mode: string): number => modes.filter(one => one === mode).length
  const commonest = [...preprocessingModes].sort((a, b) => count(b) - count(a))
  return preferred.find(mode => modes.includes(mode)) ?? commonest[0]!
}

/** The classifier of a model: a head of ImageNet's 1,000 classes, texts, or a head of other classes. */
export type ModelKind = '1K' | 'zero-shot' | 'other'

/**
 * Returns the family of each model, whose models may deviate alike from a line: its architecture's in the catalogue, the training
 * data of a zero-shot model, else what its name begins with.
 */
export const modelFamilies = (models: readonly string[]): ReadonlyMap<string, string> =>
  new Map(models.map(model => [model, modelFamily(model)]))

function modelFamily(model: string): string {
  const spec = findModel(model)
  if (!spec || spec.classes === 'zero-shot') return familyFromName(plainModelName(model))
  return findArchitecture(spec.architecture).family
}

/** Returns the kind that the catalogue states; `other` for a model that is not in it. */
export function catalogueKind(model: string): ModelKind {
  const classes = findModel(model)?.classes
  return classes === 'zero-shot' ? 'zero-shot' : classes === 'imagenet-1k' ? '1K' : 'other'
}

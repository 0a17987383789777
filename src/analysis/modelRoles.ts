import { type PreprocessingMode, preprocessingModes } from '../lib/pixels/steps.ts'
import { familyFromName } from '../metrics/familyInference.ts'
import { findArchitecture } from '../models/architectures.ts'
import { findModel } from '../models/catalog.ts'
import { type Run } from '../results/run.ts'
import { isZeroShot } from '../results/schema.ts'

/** Returns the models that were evaluated with texts for classes, in the order of the run. */
export const zeroShotModels = ({ entries }: Pick<Run, 'entries'>): ReadonlySet<string> =>
  new Set(entries.flatMap(({ identity }) => (isZeroShot(identity) ? identity.model : [])))

/** Returns the models that lines are fitted to: those that are not zero-shot, or all if fewer than two of those exist. */
export function modelsForFit(run: Run, models: readonly string[]): readonly string[] {
  const zeroShot = zeroShotModels(run)
  const others = models.filter(model => !zeroShot.has(model))
  return others.length < 2 ? models : others
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
  if (!spec || spec.classes === 'zero-shot') return familyFromName(model)
  return findArchitecture(spec.architecture).family
}

/** Returns the kind that the catalogue states; `other` for a model that is not in it. */
export function catalogueKind(model: string): ModelKind {
  const classes = findModel(model)?.classes
  return classes === 'zero-shot' ? 'zero-shot' : classes === 'imagenet-1k' ? '1K' : 'other'
}

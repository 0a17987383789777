/*
 * Heads of more classes than ImageNet's 1,000: the logits of the 1,000 are picked by wnid and ranked among themselves. The
 * places come from the lists of synsets that timm ships (imagenetHeads.tsv).
 */
import { readTsv } from '../lib/archive/tsv.ts'
import { sha256 } from '../lib/hash.ts'
import { type ModelSession } from './runtime/session.ts'
import { type ModelSpec } from './spec.ts'

/** A list of classes that a head is over, with the places of ImageNet's 1,000 in it. */
export interface HeadList {
  name: string
  classes: number
  source: string
  /** By class index: the column of the head, or -1 for a class that the list lacks. */
  places: readonly number[]
}

/** Returns the known lists. */
export const headLists = (): readonly HeadList[] =>
  (knownLists ??= readTsv<'name' | 'classes' | 'source' | 'places'>(
    new URL('./imagenetHeads.tsv', import.meta.url),
  ).map(row => ({ ...row, classes: Number(row.classes), places: decodePlaces(row.places) })))

let knownLists: readonly HeadList[] | undefined

/** Returns the list of a head with this number of classes; undefined for an unknown number. */
export const headListOf = (classes: number): HeadList | undefined =>
  headLists().find(list => list.classes === classes)

/** Returns the number of ImageNet's classes that a list lacks. */
const missingClasses = ({ places }: HeadList): number => places.filter(place => place < 0).length

/** Returns the reasons to doubt a model's results, and how many of ImageNet's classes its head lacks; undefined without any. */
export function evaluationNote({ note, headClasses }: ModelSpec): string | undefined {
  const list = headClasses === undefined ? undefined : headListOf(headClasses)
  const missing = list ? missingClasses(list) : 0
  const lacks =
    missing > 0
      ? `its head (${list!.name}) lacks ${missing} of ImageNet's 1,000 classes, which are never predicted`
      : undefined
  return [note, lacks].filter(Boolean).join('; ') || undefined
}

/** Describes the choice of logits in one line of a result's key. */
export const describeHead = (list: HeadList): string =>
  `imagenet-1k of ${list.name}, ${missingClasses(list)} missing, ${sha256(encodePlaces(list.places), 8)}`

/** Writes places as steps from one to the next in base 36, `-` for a missing class, `1*5` for five equal steps. */
export function encodePlaces(places: readonly number[]): string {
  const words: string[] = []
  let before = -1
  for (const place of places) {
    words.push(place < 0 ? '-' : (place - before).toString(36))
    if (place >= 0) before = place
  }
  const runs: [word: string, count: number][] = []
  for (const word of words) {
    const last = runs.at(-1)
    if (last?.[0] === word) last[1] += 1
    else runs.push([word, 1])
  }
  return runs.map(([word, count]) => (count > 1 ? `${word}*${count}` : word)).join(' ')
}

/** Returns the places that `encodePlaces` wrote. */
export function decodePlaces(text: string): number[] {
  let place = -1
  return text.split(' ').flatMap(run => {
    const [word = '', count = '1'] = run.split('*')
    return Array.from({ length: Number(count) }, () =>
      word === '-' ? -1 : (place += parseInt(word, 36)),
    )
  })
}

/** The logit of a class that the head lacks: it is never ranked before one that the head has. */
const missingLogit = -1e4

/** Returns the session with the logits of ImageNet's 1,000 in place of the head's. */
export const pickImagenetLogits = (
  session: ModelSession,
  { classes, places }: HeadList,
): ModelSession => ({
  run: async (crops, n) => {
    const outputs = await session.run(crops, n)
    const { logits } = outputs
    if (!logits) return outputs
    const picked = new Float32Array(n * places.length)
    for (let row = 0; row < n; row++)
      for (const [i, place] of places.entries())
        picked[row * places.length + i] = place < 0 ? missingLogit : logits[row * classes + place]!
    return { ...outputs, logits: picked }
  },
  release: () => session.release(),
})

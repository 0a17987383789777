import { readText } from '../datasets/files.ts'
import { inputError } from '../lib/errors.ts'
import { findModel } from './catalog.ts'
import { splitInputSize } from './inputSize.ts'
import { matchingNames } from './listing.ts'
import { testbed } from './testbed.ts'

/**
 * Expands words to model names: `testbed` (the paper's 98), `family:clip` (an architecture group of the testbed), a pattern
 * with `*` (of the testbed, or of all models with classes if none of it matches), `@FILE` (one name a line), or plain names.
 * A word followed by `:test` or `:N` means its models at that size; models without a test size are left out.
 *
 * @example
 * const names = await selectModels(['family:clip', 'resnet50'])
 */
export async function selectModels(words: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(words.map(word => expandWord(word, [])))
  return [...new Set(lists.flat())]
}

/** Expands one word; `lists` are the files whose lines lead to it. */
async function expandWord(word: string, lists: readonly string[]): Promise<string[]> {
  const [base, size] = splitInputSize(word)
  if (size !== undefined && (base === 'testbed' || /^family:|^@|\*/.test(base))) {
    const names = await expandWord(base, lists)
    const fitting = size === 'test' ? names.filter(name => findModel(name)?.testRecipe) : names
    return fitting.map(name => `${name}:${size}`)
  }
  if (word === 'testbed') return testbed().map(({ model }) => model)
  if (word.startsWith('family:')) return familyModels(word.slice('family:'.length))
  if (word.startsWith('@')) {
    const file = word.slice(1)
    if (lists.includes(file)) throw inputError('bad-list', `the list ${file} names itself`)
    const names = (await readModelList(file)).map(name => expandWord(name, [...lists, file]))
    return (await Promise.all(names)).flat()
  }
  if (!word.includes('*')) return [word]
  const names = matchingNames(word)
  const within = names.filter(name => testbed().some(({ model }) => model === name))
  if (within.length > 0) return within
  const scored = names.filter(name => findModel(name)?.classes.length !== 0)
  return scored.length > 0 ? scored : names
}

function familyModels(name: string): string[] {
  const found = testbed().filter(({ group }) => group.toLowerCase() === name.toLowerCase())
  if (found.length > 0) return found.map(({ model }) => model)
  const groups = [...new Set(testbed().map(({ group }) => group.toLowerCase()))].sort()
  throw inputError('unknown-family', `unknown family: ${name}; there are ${groups.join(', ')}`)
}

async function readModelList(file: string): Promise<string[]> {
  const text = await readText(file)
  const names = text.split(/\r?\n/).map(line => line.replace(/(^|\s)#.*$/, '').trim())
  return names.filter(name => name !== '')
}

import { readFile } from 'node:fs/promises'
import { inputError } from '../errors.ts'
import { matchingRows, testbedRows } from './listing.ts'

/**
 * Model names from what a person writes: `testbed` (the paper's 98), `family:clip` (its rows of one architecture group), a
 * pattern with `*` (of the testbed, else of all names), `@FILE` (a name a line), or plain names.
 */
export async function selectModels(words: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(words.map(selected))
  return [...new Set(lists.flat())]
}

async function selected(word: string): Promise<string[]> {
  if (word === 'testbed') return testbedRows().map(({ model }) => model)
  if (word.startsWith('family:')) return family(word.slice('family:'.length))
  if (word.startsWith('@')) return selectModels(await listed(word.slice(1)))
  if (!word.includes('*')) return [word]
  const rows = matchingRows(word)
  const ofTestbed = new Set(testbedRows().map(({ model }) => model))
  const within = rows.filter(({ model }) => ofTestbed.has(model))
  return (within.length > 0 ? within : rows).map(({ model }) => model)
}

function family(name: string): string[] {
  const rows = testbedRows()
  const found = rows.filter(({ group }) => group.toLowerCase() === name.toLowerCase())
  if (found.length > 0) return found.map(({ model }) => model)
  const groups = [...new Set(rows.map(({ group }) => group.toLowerCase()))].sort()
  throw inputError('unknown-family', `unknown family: ${name}; there are ${groups.join(', ')}`)
}

async function listed(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw inputError('missing-file', `missing file: ${file}`)
  })
  const names = text.split(/\r?\n/).map(line => line.replace(/#.*$/, '').trim())
  return names.filter(name => name !== '')
}

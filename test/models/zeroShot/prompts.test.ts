import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  fillTemplate,
  promptedName,
  promptTemplates,
} from '../../../src/models/zeroShot/prompts.ts'
import { plainModelName, promptsOfName } from '../../../src/models/promptedName.ts'
import { findModel } from '../../../src/models/catalog.ts'
import { findArchitecture } from '../../../src/models/architectures.ts'
import { type DualEncoder } from '../../../src/models/families/family.ts'

const clip = findArchitecture('clip:ViT-B-32') as DualEncoder
const flava = findArchitecture('flava') as DualEncoder

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-prompts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function templatesOf(content: string): Promise<readonly string[]> {
  const file = join(folder, 'prompts')
  await writeFile(file, content)
  return promptTemplates(file, clip)
}

describe('named prompts', () => {
  it("takes the paper's of each model", async () => {
    expect(await promptTemplates('paper', clip)).toEqual(['This is a photo of a {}'])
    expect(await promptTemplates('paper', flava)).toEqual(['a photo of a {}'])
  })

  it("has OpenAI's 80, all different, and the 7 that are part of them", async () => {
    const all = await promptTemplates('openai', clip)
    const few = await promptTemplates('simple', clip)
    expect(new Set(all).size).toBe(80)
    expect(few).toHaveLength(7)
    expect(all).toEqual(expect.arrayContaining([...few]))
    for (const template of all)
      expect(fillTemplate(template, 'stove')).toMatch(/^[^{}]*stove[^{}]*$/)
  })

  it('names what exists for another name', async () => {
    await expect(promptTemplates('openia', clip)).rejects.toThrow(
      /^unknown prompts: openia; there are paper, openai, simple, lang:CODE, a file/,
    )
  })
})

describe('the name of a model in results', () => {
  it.each([
    ['paper', 'm'],
    ['openai', 'm (prompts openai)'],
    ['LANG:pt-BR', 'm (prompts lang:pt)'],
    ['lang:iw:/a/names.csv', 'm (prompts lang:he:names.csv)'],
    ['/a/prompts.txt', 'm (prompts prompts.txt)'],
    ['a photo/drawing of {}', 'm (prompts a photo/drawing of {})'],
  ])('with the prompts %s is %s', (prompts, name) => {
    expect(promptedName('m', prompts)).toBe(name)
    expect(plainModelName(name)).toBe('m')
  })

  it('finds the catalogue’s model, whatever its prompts', () => {
    expect(findModel('clip:ViT-B-32/openai (prompts lang:sw)')?.name).toBe('clip:ViT-B-32/openai')
    expect(promptsOfName('m (prompts lang:sw)')).toBe('lang:sw')
  })
})

describe('prompts from a file', () => {
  it('reads a line each, with either placeholder', async () => {
    expect(await templatesOf('a {} here\n\nthe {c}\r\n')).toEqual(['a {} here', 'the {c}'])
    expect(fillTemplate('the {c}, a {}', '$& {}')).toBe('the $& {}, a $& {}')
    expect(fillTemplate('a photo of a {}.', 'hand_soap')).toBe('a photo of a hand soap.')
  })

  it('reads a JSON list', async () => {
    expect(await templatesOf('["one {}", "two {}"]')).toEqual(['one {}', 'two {}'])
    expect(await templatesOf('\ufeff["one {}"]')).toEqual(['one {}'])
    expect(await templatesOf('\ufeffone {}')).toEqual(['one {}'])
  })

  it('takes one template that is given itself, and no folder', async () => {
    expect(await promptTemplates('a stock photo of {}, {c}', clip)).toEqual([
      'a stock photo of {}, {c}',
    ])
    await expect(promptTemplates(folder, clip)).rejects.toThrow(/it has no templates/)
  })

  it.each([
    ['', 'it has no templates'],
    ['a {}\na photo', 'no {} in the template "a photo"'],
    ['["a {}"', 'not one'],
    ['"a photo of {}"\r\n"a drawing of {}"\r\n', 'in quotes or code: "a photo of {}"'],
    ['- a photo of {}\n', 'in quotes or code: - a photo of {}'],
    ["    lambda c: f'a photo of a {c}.',", 'in quotes or code: lambda c'],
    ['{"templates": ["a {}"]}', 'in quotes or code'],
    ['for\ufffdt {}', 'it is not UTF-8'],
  ])('refuses %j', async (content, message) => {
    await expect(templatesOf(content)).rejects.toMatchObject({
      code: 'bad-prompts',
      message: expect.stringContaining(message) as string,
    })
  })
})

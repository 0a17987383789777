import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillTemplate, promptTemplates } from '../../../src/models/zeroShot/prompts.ts'
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
      /^unknown prompts: openia; nearest: openai/,
    )
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

  it.each([
    ['', 'it has no templates'],
    ['a {}\na photo', 'no {} in the template "a photo"'],
    ['["a {}"', 'not one'],
  ])('refuses %j', async (content, message) => {
    await expect(templatesOf(content)).rejects.toMatchObject({
      code: 'bad-prompts',
      message: expect.stringContaining(message) as string,
    })
  })
})

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  languageCode,
  languageOfCountry,
  languagesOf,
  languageTexts,
} from '../../src/datasets/labels/languages.ts'
import { ownLabels } from '../../src/datasets/labels/labelMap.ts'
import { languageTable } from '../../src/cli/print/languages.ts'
import { compareLanguages } from '../../src/evaluate/languages.ts'
import { rescore } from '../../src/evaluate/rescore.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { verify } from '../../src/evaluate/verify.ts'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { openRun } from '../../src/results/run.ts'
import { writeWorld } from '../helpers/world.ts'
import { dualTokenizer, imageTowerBytes, textTowerBytes } from '../models/onnx/dualEncoder.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
let out: string
let names: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-languages-'))
  out = join(folder, 'results')
  names = join(folder, 'names.csv')
  await writeFile(names, 'label,es\n{},photo {}\nred,rojo\ngreen,verde\nblue,azul\n')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A zero-shot model of two ONNX files that knows three colours in two languages. */
async function writeEncoder(): Promise<string> {
  const place = join(folder, 'mine')
  await mkdir(place, { recursive: true })
  const description = {
    name: place,
    onnx: 'vision.onnx',
    input: { name: 'pixel_values', layout: 'NCHW', dtype: 'float32' },
    preprocessing: [
      { step: 'resize', size: 32, interpolation: 'bilinear' },
      { step: 'centerCrop', size: 32 },
      { step: 'normalize', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    ],
    output: { name: 'image_embeds', kind: 'embedding' },
    text: { onnx: 'text.onnx', output: 'text_embeds', contextLength: 8, padding: 0 },
  }
  await writeFile(join(place, 'model.json'), JSON.stringify(description))
  await writeFile(join(place, 'tokenizer.json'), dualTokenizer)
  await writeFile(join(place, 'vision.onnx'), imageTowerBytes('image_embeds'))
  await writeFile(join(place, 'text.onnx'), textTowerBytes({ output: 'text_embeds', mask: true }))
  return place
}

/** Twelve images of six in Mexico, three in Kenya and three in Nigeria, two regions. */
async function writePlaces(householdOf?: (i: number) => string): Promise<string> {
  const manifest = await writeWorld(folder, 12)
  const lines = (await readFile(manifest, 'utf8')).trim().split('\n')
  const places = lines.slice(1).map((line, i) => {
    const [id, image, label] = line.split(',')
    const [region, country] =
      i < 6 ? ['Americas', 'Mexico'] : ['Africa', i < 9 ? 'Kenya' : 'Nigeria']
    return [id, image, label, region, country, ...(householdOf ? [householdOf(i)] : [])].join(',')
  })
  const head = householdOf ? `${lines[0]!},household` : lines[0]!
  await writeFile(manifest, `${[head, ...places].join('\n')}\n`)
  return manifest
}

/** Writes a table of names; `spelling` reads a language of it. */
async function tableOf(content: string) {
  const file = join(folder, 'table.csv')
  await writeFile(file, content.includes('\r\n') ? content : `${content}\n`)
  const spelling = (language: string, labels: readonly string[]) =>
    languageTexts(language, labels, file)
  return { file, spelling }
}

describe('names in the languages of places', () => {
  it('are there for all classes of Dollar Street and GeoDE, each its own, in eight languages', async () => {
    const languages = (await languagesOf()).filter(language => language !== 'en')
    expect(languages).toEqual(['es', 'fr', 'pt', 'ar', 'hi', 'zh', 'id', 'sw'])
    for (const set of ['geode-paper', 'dollarstreet-paper'])
      for (const language of languages) {
        const { classNames, templates } = await languageTexts(language, ownLabels(set))
        expect(new Set(classNames).size).toBe(ownLabels(set).length)
        expect(templates[0]).toContain('{}')
      }
    expect((await languageTexts('en', ['Hand soap'])).classNames).toEqual(['Hand soap'])
    expect((await languageTexts('sw', ['Hand_Soap'])).classNames).toEqual(['sabuni ya mikono'])
    expect((await languageTexts('zh-Hans', ['stove'])).classNames).toEqual(['炉子'])
  })

  it('go by the likely language of a country', () => {
    const places = ['Mexico', 'BR', 'Kenya', 'India', 'Egypt', 'NGA', 'Atlantis']
    expect(places.map(place => languageOfCountry(place))).toEqual([
      ...['es', 'pt', 'sw', 'hi', 'ar', 'en'],
      undefined,
    ])
    expect(languageOfCountry('Mexico', ['es', 'es-MX'])).toBe('es-MX')
    expect(['China', 'Taiwan', 'Hong Kong'].map(place => languageOfCountry(place))).toEqual([
      ...['zh', 'zh-TW', 'zh-TW'],
    ])
    expect(['iw', 'pt_BR', 'zh-Hant', 'SWH', 'es-MX', 'Spanish', 'note'].map(languageCode)).toEqual(
      [...['he', 'pt', 'zh-TW', 'sw', 'es-MX', undefined, undefined]],
    )
  })

  it('are refused where a class has none, or the language is not there', async () => {
    await expect(languageTexts('es', ['stove', 'gizmo', 'gadget'])).rejects.toThrow(
      /no name in es for 2 of 3 classes: gizmo, gadget/,
    )
    await expect(languageTexts('xx', ['stove'])).rejects.toThrow(
      /unknown language: xx; the shipped table .* has es, fr, .*; a table of your own: lang:xx:FILE/,
    )
    await expect(languageTexts('es', ['red'], join(folder, 'classes.txt'))).rejects.toThrow(
      /classes.txt/,
    )
    const { spelling } = await tableOf(
      'Label;ES;source\r\n{};photo {};\r\n{};dessin {};\r\nRED;ro\u0301jo;me\r\n',
    )
    expect(await spelling('es', ['red'])).toEqual({
      templates: ['photo {}', 'dessin {}'],
      classNames: ['rójo'],
    })
    for (const [content, message] of [
      ['label,Spanish\nred,rojo', /the column Spanish is no code of a language, such as es/],
      ['label,es\n{},photo\nred,rojo', /no \{\} in the prompt "photo" of es/],
      ['label,es\nred,rojo', /no prompt in es; give a row \{\}/],
      ['label,es\n{},{}\nred,rojo\nRed,roja', /two names in es for red: rojo and roja/],
    ] as const)
      await expect((await tableOf(content)).spelling('es', ['red'])).rejects.toThrow(message)
    await writeFile(join(folder, 'bare.csv'), 'name,es\nred,rojo\n')
    await expect(languageTexts('es', ['red'], join(folder, 'bare.csv'))).rejects.toThrow(
      /bare.csv: no column label; its columns are name, es; give label/,
    )
  })
})

describe('geogap languages', () => {
  it('scores each image under English and under the language of its country, by region', async () => {
    const dataset = { name: await writePlaces(), classes: join(folder, 'classes.txt') }
    const model = await writeEncoder()
    await evaluate({ models: [model], datasets: [dataset], out, keep: 'features' })
    const { rows, leftOut } = await compareLanguages(out, { names })
    expect(rows).toEqual([
      {
        model: join(folder, 'mine'),
        dataset: 'world',
        region: 'Americas',
        languages: 'es 6',
        n: 6,
        english: 1,
        own: 4 / 6,
        difference: expect.closeTo(-1 / 3, 10) as number,
        interval: expect.any(Array) as [number, number],
        reason: null,
      },
      expect.objectContaining({ region: 'all', n: 6 }),
    ])
    const [low, high] = rows[0]!.interval!
    expect([low < -1 / 3, high > -1 / 3, high < 0.3]).toEqual([true, true, true])
    expect([...leftOut]).toEqual([
      ['world: no names in its language (sw)', 3],
      ['world: the language of the country is English', 3],
    ])
    expect(languageTable(rows, 'csv')).toContain('/mine,world,Americas,es 6,6,1,0.66')
  })

  it('takes households, not images, for independent where the data set names them', async () => {
    const model = await writeEncoder()
    const rowOf = async (name: string, householdOf?: (i: number) => string) => {
      const place = join(folder, name)
      const dataset = { name: await writePlaces(householdOf), classes: join(folder, 'classes.txt') }
      await evaluate({ models: [model], datasets: [dataset], out: place, keep: 'features' })
      return (await compareLanguages(place, { names })).rows[0]!
    }
    const images = await rowOf('of-images')
    const pairs = await rowOf('of-pairs', i => `house ${i % 3}`)
    const one = await rowOf('of-one', () => 'house')
    expect([pairs.n, pairs.difference]).toEqual([images.n, images.difference])
    const width = ([low, high]: readonly [number, number]): number => high - low
    expect(width(pairs.interval!)).toBeGreaterThan(width(images.interval!))
    expect(one.interval).toBeNull()
    expect(one.reason).toContain('household')
  })

  it('takes a language as prompts of an evaluation, apart from English, found again by rescoring', async () => {
    const dataset = { name: await writePlaces(), classes: join(folder, 'classes.txt') }
    const asked = { models: [await writeEncoder()], datasets: [dataset], keep: 'features' as const }
    const place = join(folder, 'spanish')
    const run = await evaluate({ ...asked, out: place, prompts: `lang:es:${names}` })
    expect(run.accuracy()[0]!.top1).toBeCloseTo(8 / 12, 10)
    const english = await rescore(place, { prompts: 'lang:en', out: join(folder, 'english') })
    expect(english.accuracy()[0]!.top1).toBe(1)
  })

  it('keeps results of several prompts apart, by name, and rescores and verifies each with its own', async () => {
    const dataset = { name: await writePlaces(), classes: join(folder, 'classes.txt') }
    const model = await writeEncoder()
    const asked = { models: [model], datasets: [dataset], keep: 'features' as const }
    const place = join(folder, 'apart')
    await evaluate({ ...asked, out: place, prompts: `lang:es:${names}` })
    await evaluate({ ...asked, out: place })
    await rescore(place, { prompts: 'photo {}', models: [model] })
    const top1 = {
      [model]: 1,
      [`${model} (prompts lang:es:names.csv)`]: 8 / 12,
      [`${model} (prompts photo {})`]: 1,
    }
    const found = (await openRun(place)).accuracy()
    expect(Object.fromEntries(found.map(row => [row.model, row.top1]))).toEqual(top1)
    const { rows } = await compareLanguages(place, { names })
    expect(rows.map(row => [row.model, row.region])).toEqual([
      [model, 'Americas'],
      [model, 'all'],
    ])
    const here = process.cwd()
    try {
      process.chdir(folder)
      const out = join(folder, 'apart-mapped')
      const again = await rescore(place, { change: { choices: 'mapped' }, out })
      expect(
        again
          .accuracy()
          .map(row => row.model)
          .sort(),
      ).toEqual(Object.keys(top1).slice(0, 2).sort())
      const { left, shards } = await verify(place, { models: [await loadModelSpec(model)] })
      expect(left).toEqual([])
      expect(new Set(shards.map(shard => shard.model)).size).toBe(3)
      expect(shards.every(shard => shard.differing === 0)).toBe(true)
    } finally {
      process.chdir(here)
    }
  })

  it('says what is missing', async () => {
    await expect(compareLanguages(out)).rejects.toThrow(/no name in es for 3 of 3 classes/)
    const place = join(folder, 'plain')
    const dataset = { name: await writePlaces(), classes: join(folder, 'classes.txt') }
    await evaluate({
      models: [await writeEncoder()],
      datasets: [dataset],
      out: place,
      keep: 'logits',
    })
    await expect(compareLanguages(place, { names })).rejects.toThrow(/has kept features/)
  })
})

import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { checkDataset } from '../../../src/datasets/checkDataset.ts'
import { imagenetWnids } from '../../../src/datasets/labels/imagenet.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { shared } from '../../helpers/shared.ts'
import { lay, makeTar, makeZip, temporaryFolder } from '../fixtures.ts'

type Files = Record<string, string | Uint8Array>

const below = (folder: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))

const jpeg = (side: number): Promise<Buffer> =>
  sharp({ create: { width: side, height: side, channels: 3, background: '#888' } })
    .jpeg()
    .toBuffer()

const open = (name: string, data: string): Promise<string> =>
  openDataset({ name, data }).then(dataset => `${dataset.name}: ${dataset.samples.length}`)

const v2 = {
  '0/6953a1155a62ddc4e2091f49e0a10d2bc57c7998.jpeg': 'a',
  '700/5a23754bef38d426476c4878deffed7ad7285256.jpeg': 'b',
}
const v2Variants = ['matched-frequency', 'threshold-0.7', 'top-images']
const v2Folders = [
  'imagenetv2-matched-frequency',
  'imagenetv2-threshold0.7',
  'imagenetv2-top-images',
]

describe('ImageNet-V2', () => {
  it.each(v2Folders.map((folder, i) => [folder, v2Variants[i]!]))(
    '%s is %s and no other variant, as folder, archive or data folder',
    async (folder, variant) => {
      const places = [
        lay(temporaryFolder(), below(`${folder}-format-val`, v2)),
        join(lay(temporaryFolder(), below(`${folder}-format-val`, v2)), `${folder}-format-val`),
        lay(temporaryFolder(), below(`imagenet-v2/${folder}-format-val`, v2)),
        lay(temporaryFolder(), below(folder.replace('imagenetv2', 'ImageNetV2'), v2)),
        lay(temporaryFolder(), { 'imagenet_v2.tar': makeTar(below(`${folder}-format-val`, v2)) }),
      ]
      for (const data of places) {
        for (const other of v2Variants) {
          const name = `imagenet-v2/${other}`
          const found = open(name, data)
          if (other === variant) expect(await found).toBe(`${name}: 2`)
          else
            await expect(found).rejects.toThrow(/no imagenet-v2.* is imagenet-v2\/.* by its name/)
        }
      }
    },
  )

  it("reads the paper's imagenet-v2/test as matched-frequency, and folders by wnid", async () => {
    const data = lay(temporaryFolder(), below('imagenet-v2/test', v2))
    expect(await open('imagenet-v2', data)).toBe('imagenet-v2/matched-frequency: 2')
    await expect(open('imagenet-v2/top-images', data)).rejects.toThrow('by its name')
    const byWnid = lay(temporaryFolder(), {
      'imagenetv2-top-images-format-val/n15075141/6953a1155a62ddc4e2091f49e0a10d2bc57c7998.jpeg':
        'a',
    })
    const dataset = await openDataset({ name: 'imagenet-v2/top-images', data: byWnid })
    expect(dataset.samples[0]!.labels).toEqual([999])
  })

  it('refuses a folder whose name tells no variant, for every benchmark', async () => {
    for (const folder of ['v2', 'imagenet-v2', 'images']) {
      const data = lay(temporaryFolder(), below(folder, v2))
      for (const variant of v2Variants)
        await expect(open(`imagenet-v2/${variant}`, data)).rejects.toThrow(
          'neither its name nor its files tell which',
        )
      await expect(open('imagenet-1k', data)).rejects.toThrow('no imagenet-1k')
    }
  })

  it('goes by the image ids of the published variants, whatever the folder is called', async () => {
    const ids = readFileSync(
      new URL('../../../src/datasets/labels/imagenet-v2.tsv', import.meta.url),
      'utf8',
    )
      .split('\n')
      .map(line => line.split('\t'))
      .filter(([variant]) => variant === 'threshold-0.7')
    const whole = Object.fromEntries(
      ids.flatMap(([, wnid, list]) =>
        list!
          .split(' ')
          .map(id => [`${imagenetWnids.indexOf(wnid!)}/${id.padEnd(40, '0')}.jpeg`, 'a'] as const),
      ),
    )
    const anonymous = lay(temporaryFolder(), below('stuff', whole))
    expect(await open('imagenet-v2/threshold-0.7', anonymous)).toBe('imagenet-v2/threshold-0.7: 50')
    await expect(open('imagenet-v2', anonymous)).rejects.toThrow('images are of another variant')
    const renamed = lay(temporaryFolder(), below('imagenetv2-top-images', whole))
    await expect(open('imagenet-v2/top-images', renamed)).rejects.toThrow(
      'images are of another variant',
    )
  })

  it('says how to uncompress its .tar.gz', async () => {
    const data = lay(temporaryFolder(), { 'imagenetv2-matched-frequency.tar.gz': '\x1f\x8b' })
    await expect(open('imagenet-v2', data)).rejects.toThrow(
      /uncompress it: gunzip .*imagenetv2-matched-frequency\.tar\.gz/,
    )
  })
})

const imagesOf = {
  'imagenet-a': { 'n01498041/0.000116_digital clock _ digital clock_0.865662.jpg': 'a' },
  'imagenet-r': { 'n01443537/art_0.jpg': 'a' },
  'imagenet-sketch': { 'n01440764/sketch_0.JPEG': 'a' },
}
const wnidBenchmarks = ['imagenet-1k', ...Object.keys(imagesOf)]

describe('benchmarks in folders by wnid', () => {
  it.each(Object.entries(imagesOf))('%s is no other benchmark', async (name, files) => {
    for (const folder of [name, name.replace('-', '_').toUpperCase(), 'renamed', `${name}/test`]) {
      const data = lay(temporaryFolder(), below(folder, files))
      for (const other of wnidBenchmarks) {
        if (other === name) expect(await open(name, data)).toBe(`${name}: 1`)
        else await expect(open(other, data)).rejects.toThrow(`no ${other} in ${data}`)
      }
    }
  })

  it('refuse folders that neither their name nor their files tell apart', async () => {
    const subset = Object.fromEntries(
      imagenetWnids.slice(0, 10).map(wnid => [`subset/${wnid}/photo.jpg`, 'a']),
    )
    for (const data of [
      lay(temporaryFolder(), subset),
      join(lay(temporaryFolder(), subset), 'subset'),
      lay(temporaryFolder(), { ...below('one', subset), ...below('two', subset) }),
    ]) {
      for (const name of wnidBenchmarks)
        await expect(open(name, data)).rejects.toThrow(`no ${name} in ${data}`)
    }
    await expect(open('imagenet-r', lay(temporaryFolder(), subset))).rejects.toThrow(
      /could be imagenet-1k, .*imagenet-a, and neither its name nor its files tell which; rename it/,
    )
  })

  it('go through links, whose target must not be another benchmark', async () => {
    const data = lay(temporaryFolder(), below('store/imagenet-a', { 'n01498041/x.jpg': 'a' }))
    mkdirSync(join(data, 'links'))
    symlinkSync(join(data, 'store/imagenet-a'), join(data, 'links/imagenet-r'))
    await expect(open('imagenet-r', join(data, 'links'))).rejects.toThrow(
      'is imagenet-a by its name',
    )
    symlinkSync(join(data, 'store/imagenet-a'), join(data, 'links/my-a'))
    expect(await open('imagenet-a', join(data, 'links/my-a'))).toBe('imagenet-a: 1')
  })

  it('refuse a folder whose images are named as those of another benchmark', async () => {
    const data = lay(temporaryFolder(), below('imagenet-sketch', imagesOf['imagenet-a']))
    await expect(open('imagenet-sketch', data)).rejects.toThrow(
      'its images are named as those of imagenet-a',
    )
    const train = lay(temporaryFolder(), {
      'imagenet/train/n01440764/n01440764_10026.JPEG': 'a',
    })
    await expect(open('imagenet-1k', train)).rejects.toThrow('imagenet-1k, training')
  })

  it('are told by the exact number of images of exactly their classes', async () => {
    const classes = readFileSync(
      new URL('../../../src/datasets/labels/imagenet-a.tsv', import.meta.url),
      'utf8',
    )
      .split('\n')
      .filter(line => /^n\d{8}$/.test(line))
    const files = Object.fromEntries(
      Array.from({ length: 7500 }, (_, i) => [`all/${classes[i % 200]!}/${i}.jpg`, '']),
    )
    const data = lay(temporaryFolder(), files)
    expect(await open('imagenet-a', data)).toBe('imagenet-a: 7500')
    for (const other of ['imagenet-1k', 'imagenet-r', 'imagenet-sketch'])
      await expect(open(other, data)).rejects.toThrow(`no ${other}`)
    renameSync(join(data, `all/${classes[0]!}/0.jpg`), join(data, '0.jpg'))
    await expect(open('imagenet-a', data)).rejects.toThrow('neither its name nor its files')
  })

  it('tell validation images from those of ImageNet-C by their size', async () => {
    const file = 'n01440764/ILSVRC2012_val_00000293.JPEG'
    const val = lay(temporaryFolder(), { [`pictures/${file}`]: await jpeg(300) })
    expect(await open('imagenet-1k', val)).toBe('imagenet-1k: 1')
    const part = lay(temporaryFolder(), { [`fog/3/${file}`]: await jpeg(224) })
    await expect(open('imagenet-1k', join(part, 'fog/3'))).rejects.toThrow('no imagenet-1k')
    expect(await open('imagenet-c/fog/3', part)).toBe('imagenet-c/fog/3: 1')
  })

  it('read the first of two copies, and say so', async () => {
    const data = lay(temporaryFolder(), {
      ...below('imagenet-r', imagesOf['imagenet-r']),
      ...below('imagenet_r', imagesOf['imagenet-r']),
      'imagenet-r.tar': makeTar(below('imagenet-r', imagesOf['imagenet-r'])),
    })
    const { notes, samples } = await openDataset({ name: 'imagenet-r', data })
    expect(samples).toHaveLength(1)
    expect(notes).toEqual([
      `read from ${join(data, 'imagenet-r')}; ${join(data, 'imagenet_r')} is another copy`,
    ])
  })

  it('are found beside each other in one folder, as the field lays them out', async () => {
    const data = lay(temporaryFolder(), {
      'imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG': 'a',
      ...below('imagenet/sketch', imagesOf['imagenet-sketch']),
      ...below('imagenet/imagenet-a', imagesOf['imagenet-a']),
      ...below('imagenet/imagenetv2-matched-frequency-format-val', v2),
    })
    expect(await open('imagenet-1k', data)).toBe('imagenet-1k: 1')
    expect(await open('imagenet-sketch', data)).toBe('imagenet-sketch: 1')
    expect(await open('imagenet-a', join(data, 'imagenet'))).toBe('imagenet-a: 1')
    expect(await open('imagenet-v2', data)).toBe('imagenet-v2/matched-frequency: 2')
    await expect(open('imagenet-r', data)).rejects.toThrow('no imagenet-r')
    const nested = lay(temporaryFolder(), {
      ...below('downloads/imagenet-a', imagesOf['imagenet-a']),
      'other/readme.txt': '',
    })
    expect(await open('imagenet-a', nested)).toBe('imagenet-a: 1')
    await expect(open('imagenet-a', join(nested, 'none'))).rejects.toThrow('no such folder')
  })
})

describe('other layouts', () => {
  it('DataComp and hub forms are named, with what to do', async () => {
    const data = lay(temporaryFolder(), {
      'geode/test/nshards.txt': '1',
      'geode/classnames.txt': 'bag\n',
      'imagenet-a/data/test-00000-of-00001.parquet': 'x',
    })
    await expect(open('geode', data)).rejects.toThrow(
      `${data}/geode holds WebDataset shards; to open them, give this path`,
    )
    await expect(open('imagenet-a', data)).rejects.toThrow('imagenet-a holds Parquet files')
  })

  it('Dollar Street is read from the zip of Kaggle, and names a table that is missing', async () => {
    const header =
      'id,country.name,country.id,region.id,type,imageRelPath,topics,place,income,imagenet_synonyms,imagenet_sysnet_id'
    const row = `a1,Kenya,ke,af,image,assets/a1/a1.jpg,"['tv']",h1,50.5,"['x']","[851]"`
    const table = `${header}\n${row}\n`
    const files: Files = {
      'dataset_dollarstreet/images_v2.csv': table,
      'dataset_dollarstreet/images_v2_imagenet_test.csv': table,
      'dataset_dollarstreet/images_v2_imagenet_train.csv': table.replace('a1,', 'b1,'),
      'dataset_dollarstreet/assets/a1/a1.jpg': 'one',
    }
    const zip = makeZip(Object.entries(files).map(([name, content]) => ({ name, content })))
    for (const name of ['the-dollar-street-dataset.zip', 'archive.zip', 'dollarstreet.zip']) {
      const data = lay(temporaryFolder(), { [name]: zip })
      expect(await open('dollarstreet/published', data)).toBe('dollarstreet/published: 1')
    }
    const lacking = lay(temporaryFolder(), {
      'images_v2.csv': table,
      'images_v2_imagenet_train.csv': table,
    })
    await expect(open('dollarstreet', lacking)).rejects.toThrow(
      /lacks images_v2_imagenet_test\.csv.*there are: images_v2\.csv, images_v2_imagenet_train\.csv/,
    )
  })

  it("ObjectNet's mappings are found where wise-ft and CLIP_benchmark keep them, or named", async () => {
    const mapping: Files = {
      'folder_to_objectnet_label.json': '{"bike": "Bicycle"}',
      'objectnet_to_imagenet_1k.json': '{"Bicycle": "tandem"}',
      imagenet_to_label_2012_v2: 'tandem\n',
      'pytorch_to_imagenet_2012_id.json': '{"444": 0}',
    }
    const images = { 'images/bike/a.png': 'a' }
    for (const files of [
      { ...below('objectnet', mapping), ...below('objectnet/objectnet-1.0', images) },
      { ...below('objectnet-1.0/mappings', mapping), ...below('objectnet-1.0', images) },
      { ...below('objectnet/objectnet_metadata', mapping), ...below('objectnet', images) },
      { ...below('objectnet/test/mappings', mapping), ...below('objectnet/test', images) },
    ])
      expect(await open('objectnet', lay(temporaryFolder(), files))).toBe('objectnet: 1')
    const bare = lay(temporaryFolder(), below('objectnet-1.0', images))
    await expect(open('objectnet', bare)).rejects.toThrow(
      'lacks the mapping file folder_to_objectnet_label.json',
    )
    const photos = lay(temporaryFolder(), images)
    await expect(open('objectnet', photos)).rejects.toThrow('no objectnet')
  })

  it("GeoDE's index has GeoDE's columns, and its test part is another data set", async () => {
    const other = lay(temporaryFolder(), { 'index.csv': 'image,label\na.jpg,bag\n' })
    await expect(open('geode', other)).rejects.toThrow('no geode')
    const columns = 'file_path,object,region,ip_country'
    const data = lay(temporaryFolder(), {
      'geode/index.csv': `${columns}\na.jpg,bag,Africa,Kenya\nb.jpg,bag,Africa,Kenya\n`,
      'geode/metadata_test_1k_final.csv': `${columns},1k_index\na.jpg,bag,Africa,Kenya,"[414]"\n`,
      'geode/kenya.csv': `${columns}\na.jpg,bag,Africa,Kenya\n`,
      'geode/images/a.jpg': 'a',
    })
    expect(await open('geode', data)).toBe('geode: 2')
    expect(await open('geode/test', data)).toBe('geode/test: 1')
    const byPath = async (file: string): Promise<string> =>
      (await openDataset({ name: join(data, 'geode', file) })).name
    expect(await byPath('index.csv')).toBe('geode')
    expect(await byPath('metadata_test_1k_final.csv')).toBe('geode/test')
    expect(await byPath('kenya.csv')).toBe('kenya')
  })
})

const cases = shared ? join(shared, 'cases/data') : ''

describe.skipIf(!existsSync(cases))('cases that gave a wrong number', () => {
  it.each([
    ['v2_only_matched_frequency', 'imagenet-v2/threshold-0.7'],
    ['v2_only_matched_frequency', 'imagenet-v2/top-images'],
    ['only_imagenet_a', 'imagenet-1k'],
    ['only_imagenet_a', 'imagenet-sketch'],
    ['only_imagenet_a', 'imagenet-r'],
  ])('%s is not %s', async (folder, name) => {
    await expect(open(name, join(cases, folder))).rejects.toThrow(`no ${name} in`)
  })

  it.each([
    ['v2_only_matched_frequency', 'imagenet-v2', 'imagenet-v2/matched-frequency: 40'],
    ['v2_wnid_folders', 'imagenet-v2', 'imagenet-v2/matched-frequency: 20'],
    ['only_imagenet_a', 'imagenet-a', 'imagenet-a: 20'],
    ['imagenet-c_blur_only', 'imagenet-c', 'imagenet-c (4 of 15 corruptions): 40'],
    ['imagenet-c_nested', 'imagenet-c', 'imagenet-c: 150'],
    ['geode_index_and_test', 'geode', 'geode: 54'],
    ['geode_index_and_test', 'geode/test', 'geode/test: 20'],
  ])('%s has %s', async (folder, name, found) => {
    expect(await open(name, join(cases, folder))).toBe(found)
  })

  it('a partial ImageNet-C says what is missing, in check too', async () => {
    const data = join(cases, 'imagenet-c_blur_only')
    const check = await checkDataset(await openDataset({ name: 'imagenet-c', data }))
    expect(check.notes.join()).toContain(
      '4 of 15 corruptions of imagenet-c are here; missing: gauss',
    )
    expect(check.problems.map(({ code }) => code)).toContain('missing-part')
  })
})

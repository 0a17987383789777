import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { benchmarks, findBenchmark, suites } from '../../../src/datasets/benchmarks/index.ts'
import type { Dataset } from '../../../src/datasets/dataset.ts'
import { imagenetWnids } from '../../../src/datasets/labels/imagenet.ts'
import { corruptions } from '../../../src/datasets/benchmarks/imagenetC.ts'
import { readImage } from '../../../src/datasets/readImage.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { lay, makeTar, makeZip, photo, temporaryFolder } from '../fixtures.ts'

const summary = (dataset: Dataset): unknown[] =>
  dataset.samples.map(({ id, labels, bytes }) => [id, labels, bytes])

describe('ImageNet-1K', () => {
  const solution = [
    'ImageId,PredictionString',
    'ILSVRC2012_val_00000001,n01440764 10 20 30 40 n01440764 1 2 3 4',
    'ILSVRC2012_val_00000002,n01443537 10 20 30 40',
    'ILSVRC2012_val_00000003,n01443537 10 20 30 40',
    'ILSVRC2012_val_00000004,n99999999 10 20 30 40',
    '',
  ].join('\n')
  const images = {
    'ILSVRC2012_val_00000001.JPEG': photo(1),
    'ILSVRC2012_val_00000002.JPEG': photo(2),
    'ILSVRC2012_val_00000004.JPEG': photo(4),
    'ILSVRC2012_val_00000005.JPEG': photo(5),
  }
  const below = (folder: string): Record<string, Uint8Array> =>
    Object.fromEntries(Object.entries(images).map(([name, bytes]) => [`${folder}/${name}`, bytes]))
  const truth = '449\n450\n450\n1001\n'
  const layouts: [string, Record<string, string | Uint8Array>][] = [
    ["Kaggle's folders", { 'LOC_val_solution.csv': solution, ...below('ILSVRC/Data/CLS-LOC/val') }],
    [
      'development kit in its archive',
      {
        'imagenet/ILSVRC2012_devkit_t12.tar.gz': gzipSync(
          makeTar({
            'ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt': truth,
          }),
        ),
        ...below('imagenet/ILSVRC2012_img_val'),
      },
    ],
    [
      'flat folder and solution',
      { 'imagenet/LOC_val_solution.csv': solution, ...below('imagenet/val') },
    ],
    [
      'tar and solution',
      {
        'imagenet/LOC_val_solution.csv': solution,
        'imagenet/ILSVRC2012_img_val.tar': makeTar(images),
      },
    ],
    [
      'development kit',
      {
        'imagenet/ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt': truth,
        'imagenet/ILSVRC2012_devkit_t12/data/meta.mat': 'not read',
        ...below('imagenet/val'),
      },
    ],
    [
      "the development kit's ids beside the images",
      { 'imagenet/ILSVRC2012_validation_ground_truth.txt': truth, ...below('imagenet/val') },
    ],
  ]
  it.each(layouts)(
    '%s: missing images stay, unknown wnids and images without truth are reported',
    async (_, files) => {
      const dataset = await openDataset({
        name: 'imagenet-1k',
        data: lay(temporaryFolder(), files),
      })
      expect(summary(dataset)).toEqual([
        ['ILSVRC2012_val_00000001.JPEG', [0], 901],
        ['ILSVRC2012_val_00000002.JPEG', [1], 902],
        ['ILSVRC2012_val_00000003.JPEG', [1], null],
      ])
      expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
        ['ILSVRC2012_val_00000005.JPEG', 'no-label'],
        ['ILSVRC2012_val_00000004.JPEG', 'unknown-class'],
      ])
    },
  )

  it('reads val/<wnid>/', async () => {
    const data = lay(temporaryFolder(), {
      'imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG': 'a',
      'imagenet/val/n00000001/ILSVRC2012_val_00000294.JPEG': 'b',
      'imagenet/train/n01440764/n01440764_1.JPEG': 'c',
    })
    const dataset = await openDataset({ name: 'imagenet', data })
    expect(summary(dataset)).toEqual([['n01440764/ILSVRC2012_val_00000293.JPEG', [0], 1]])
    expect(dataset.problems[0]).toMatchObject({
      code: 'unknown-class',
      message: 'unknown class: folder n00000001',
    })
  })

  it('numbers flat images as the hub names them, and refuses folders that are no wnids', async () => {
    const data = lay(temporaryFolder(), {
      'imagenet/LOC_val_solution.csv': solution,
      'imagenet/val/ILSVRC2012_val_00000002_n01443537.JPEG': photo(2),
    })
    const dataset = await openDataset({ name: 'imagenet-1k', data })
    expect(summary(dataset)[1]).toEqual(['ILSVRC2012_val_00000002_n01443537.JPEG', [1], 902])
    expect(dataset.problems.map(({ code }) => code)).toEqual(['unknown-class'])
    const named = lay(temporaryFolder(), { 'imagenet/val/tench/a.JPEG': 'a' })
    await expect(openDataset({ name: 'imagenet-1k', data: named })).rejects.toThrow(
      'has the class folder tench, which is no wnid',
    )
  })

  it('asks for the ground truth of flat images', async () => {
    const data = lay(temporaryFolder(), below('imagenet/val'))
    await expect(openDataset({ name: 'imagenet-1k', data })).rejects.toThrow(
      'no ground truth for flat validation images',
    )
  })
})

describe('ImageNet-V2', () => {
  const files = { '0/a.jpeg': 'a', '7/b.jpeg': 'bb', '999/c.jpeg': 'ccc', '1000/d.jpeg': 'd' }
  const wrap = (folder: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]),
    )
  it.each([
    ['imagenet-v2', 'imagenetv2-matched-frequency-format-val'],
    ['imagenet-v2/threshold-0.7', 'imagenet-v2/imagenetv2-threshold0.7-format-val'],
    ['imagenet-v2/top-images', 'imagenetv2-top-images-format-val'],
  ])('%s: folders are class indices, not names in alphabetical order', async (name, folder) => {
    const dataset = await openDataset({ name, data: lay(temporaryFolder(), wrap(folder)) })
    expect(summary(dataset)).toEqual([
      ['0/a.jpeg', [0], 1],
      ['7/b.jpeg', [7], 2],
      ['999/c.jpeg', [999], 3],
    ])
    expect(dataset.problems).toEqual([
      { id: '1000/d.jpeg', code: 'unknown-class', message: 'unknown class: folder 1000' },
    ])
  })

  it('is read from its tar as from its folder', async () => {
    const folder = 'imagenetv2-matched-frequency-format-val'
    const tar = lay(temporaryFolder(), {
      'imagenetv2-matched-frequency.tar': makeTar(wrap(folder)),
    })
    const [plain, archived] = [
      await openDataset({ name: 'imagenet-v2', data: lay(temporaryFolder(), wrap(folder)) }),
      await openDataset({ name: 'imagenet-v2', data: tar }),
    ]
    expect(archived.hash).toBe(plain.hash)
  })
})

describe('ImageNet-R, -A and -Sketch', () => {
  it.each([
    ['imagenet-r', 'imagenet-r', 'n01443537', 'n01440764'],
    ['imagenet-a', 'imagenet-a', 'n01498041', 'n01440764'],
  ])(
    '%s: its 200 classes compete, other wnids are reported',
    async (name, folder, inside, outside) => {
      const data = lay(temporaryFolder(), {
        [`${folder}/${inside}/x.jpg`]: 'a',
        [`${folder}/${outside}/y.jpg`]: 'b',
        [`${folder}/README.txt`]: '',
      })
      const dataset = await openDataset({ name, data })
      expect(dataset.samples.map(item => item.labels)).toEqual([[imagenetWnids.indexOf(inside)]])
      expect(dataset.choices).toHaveLength(200)
      expect(dataset.choices).toContain(dataset.samples[0]!.labels[0])
      expect(dataset.problems.map(problem => problem.message)).toEqual([
        `unknown class: folder ${outside}`,
      ])
      expect((await openDataset({ name, data, choices: 'all' })).choices).toBe('all')
    },
  )

  it('Sketch is read from its zip, below its top folder', async () => {
    const data = lay(temporaryFolder(), {
      'ImageNet-Sketch.zip': makeZip([
        { name: 'sketch/n01440764/sketch_0.JPEG', content: photo(3), deflate: true },
      ]),
    })
    const dataset = await openDataset({ name: 'imagenet-sketch', data })
    expect(summary(dataset)).toEqual([['n01440764/sketch_0.JPEG', [0], 903]])
    expect(dataset.choices).toBe('all')
    expect(Buffer.from(await readImage(dataset.samples[0]!.image))).toEqual(photo(3))
  })
})

describe('ImageNet-C', () => {
  const data = lay(temporaryFolder(), {
    'imagenet-c/weather.tar': makeTar({
      'fog/1/n01440764/a.JPEG': 'a',
      'fog/3/n01440764/a.JPEG': 'b',
      'snow/3/n00000001/a.JPEG': 'c',
    }),
    'imagenet-c/gaussian_noise/3/n01443537/b.JPEG': 'd',
  })
  it('has corruption and severity as groups, images are not resized, missing parts are reported', async () => {
    const dataset = await openDataset({ name: 'imagenet-c', data })
    expect(dataset.samples.map(({ id, groups }) => [id, groups])).toEqual([
      ['gaussian_noise/3/n01443537/b.JPEG', { corruption: 'gaussian_noise', severity: 3 }],
      ['fog/1/n01440764/a.JPEG', { corruption: 'fog', severity: 1 }],
      ['fog/3/n01440764/a.JPEG', { corruption: 'fog', severity: 3 }],
    ])
    expect(dataset.imageFixes).toEqual({ border: 0, resize: false })
    const missing = corruptions.filter(name => !['gaussian_noise', 'fog', 'snow'].includes(name))
    const parts = dataset.problems.filter(({ code }) => code === 'missing-part').map(({ id }) => id)
    expect(parts.filter(id => !id.includes('/'))).toEqual(missing)
    expect(parts).toContain('fog/2')
    expect(dataset.problems).toContainEqual(
      expect.objectContaining({ id: 'snow/3/n00000001/a.JPEG', code: 'unknown-class' }),
    )
  })

  it('gives one corruption, or one severity of it', async () => {
    expect((await openDataset({ name: 'imagenet-c/fog', data })).samples).toHaveLength(2)
    const part = await openDataset({ name: 'imagenet-c/fog/3', data })
    expect(part.name).toBe('imagenet-c/fog/3')
    expect(summary(part)).toEqual([['fog/3/n01440764/a.JPEG', [0], 1]])
    await expect(openDataset({ name: 'imagenet-c/fogg', data })).rejects.toThrow(
      'unknown variant of imagenet-c: fogg; nearest: fog',
    )
  })
})

describe('ObjectNet', () => {
  const data = lay(temporaryFolder(), {
    'objectnet-1.0/mappings/folder_to_objectnet_label.json': JSON.stringify({
      bike: 'Bicycle',
      basket: 'Basket',
      chess: 'Chess piece',
    }),
    'objectnet-1.0/mappings/objectnet_to_imagenet_1k.json': JSON.stringify({
      Bicycle:
        'mountain bike, all-terrain bike, off-roader; bicycle-built-for-two, tandem bicycle, tandem',
      Basket: 'shopping basket',
    }),
    'objectnet-1.0/mappings/imagenet_to_label_2012_v2':
      'bicycle-built-for-two, tandem bicycle, tandem\nshopping basket\nmountain bike, all-terrain bike, off-roader\n',
    'objectnet-1.0/mappings/pytorch_to_imagenet_2012_id.json': JSON.stringify({
      444: 0,
      790: 1,
      671: 2,
    }),
    'objectnet-1.0/images/bike/a.png': 'a',
    'objectnet-1.0/images/basket/b.png': 'b',
    'objectnet-1.0/images/chess/c.png': 'c',
    'objectnet-1.0/images/sofa/d.png': 'd',
  })
  it("follows the authors' protocol: first mapped class, nothing masked, red border removed", async () => {
    const dataset = await openDataset({ name: 'objectnet', data })
    expect(dataset.samples.map(({ id, label, labels }) => [id, label, labels])).toEqual([
      ['basket/b.png', 'Basket', [790]],
      ['bike/a.png', 'Bicycle', [671]],
    ])
    expect(dataset).toMatchObject({
      choices: 'all',
      imageFixes: { border: 2, resize: true },
      labelMap: { name: 'objectnet-authors' },
    })
    expect(dataset.notes).toEqual([
      '1 images of classes that ImageNet does not have are not scored',
    ])
    expect(dataset.problems).toEqual([
      { id: 'sofa/d.png', code: 'unknown-class', message: 'unknown class: folder sofa' },
    ])
  })

  it('masked: every mapped class is accepted, and only mapped classes compete', async () => {
    const dataset = await openDataset({ name: 'objectnet/masked', data })
    expect(dataset.samples.map(item => item.labels)).toEqual([[790], [671, 444]])
    expect(dataset.choices).toEqual([444, 671, 790])
    const own = await openDataset({ name: 'objectnet', data, labels: 'original' })
    expect(own).toMatchObject({ labelSpace: 'own', classes: ['Bicycle', 'Basket'] })
  })
})

describe('benchmarks by name', () => {
  it('say where they were looked for and how to get them', async () => {
    const data = temporaryFolder()
    await expect(openDataset({ name: 'imagenet-r', data })).rejects.toThrow(
      `no imagenet-r in ${data}: looked for imagenet-r, as folder, .zip or .tar; to get it: geogap fetch imagenet-r --data ${data}`,
    )
    await expect(openDataset({ name: 'imagenet-a', data, labels: 'x.json' })).rejects.toThrow(
      'no imagenet-a in',
    )
  })

  it('are found by their own folder or archive too', async () => {
    const folder = join(lay(temporaryFolder(), { 'imagenet-r/n01443537/x.jpg': 'a' }), 'imagenet-r')
    expect((await openDataset({ name: 'imagenet-r', data: folder })).samples).toHaveLength(1)
    const tar = join(folder, 'anything.tar')
    writeFileSync(tar, makeTar({ 'imagenet-r/n01443537/x.jpg': 'a' }))
    expect((await openDataset({ name: 'imagenet-r', data: tar })).samples).toHaveLength(1)
  })

  it('have complete rows, and suites name benchmarks', () => {
    for (const row of benchmarks) {
      expect(findBenchmark(row.name)).toEqual({ benchmark: row, variant: row.variants[0] })
      expect(
        row.howToGet.length * row.terms.length * row.candidatePaths(row.variants[0]!).length,
      ).toBeGreaterThan(0)
    }
    const names = benchmarks.map(({ name }) => name)
    expect(
      Object.values(suites)
        .flat()
        .filter(name => !names.includes(name)),
    ).toEqual([])
  })

  it.runIf(hasTar())('are read from an archive of the system’s tar', async () => {
    const data = lay(temporaryFolder(), { 'imagenet-r/n01443537/x.jpg': photo(9) })
    mkdirSync(join(data, 'packed'))
    execFileSync('tar', ['-cf', 'packed/imagenet-r.tar', 'imagenet-r'], { cwd: data })
    const dataset = await openDataset({ name: 'imagenet-r', data: join(data, 'packed') })
    expect(Buffer.from(await readImage(dataset.samples[0]!.image))).toEqual(photo(9))
  })
})

function hasTar(): boolean {
  try {
    execFileSync('tar', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

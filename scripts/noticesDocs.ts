/**
 * Writes NOTICE and THIRD-PARTY.md from the lock file, the licences of the installed packages and the data of src/: `npm run
 * docs:notices`. A test compares the files with the texts that this returns, and asks for the source of each data file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publishedSources } from '../src/analysis/paper/publishedAccuracies.ts'

interface LockedPackage {
  version: string
  license?: string
  dev?: boolean
  dependencies?: Readonly<Record<string, string>>
}

const root = new URL('../', import.meta.url)
const textOf = (name: string): string => readFileSync(new URL(name, root), 'utf8')

const locked = new Map(
  Object.entries(
    (JSON.parse(textOf('package-lock.json')) as { packages: Record<string, LockedPackage> })
      .packages,
  ).filter(([path]) => path !== ''),
)

/** The packages whose code or data the dashboard's browser code contains, with everything that they depend on. */
const bundledRoots = [
  'preact',
  'vega',
  'vega-lite',
  'vega-interpreter',
  'world-atlas',
  'string-width',
]

const { timm, open_clip } = publishedSources

/** The data files of src/ that are not geogap's own work alone: what they hold, from where, under which terms. */
export const shippedData: readonly {
  files: readonly string[]
  holds: string
  source: string
  terms: string
}[] = [
  {
    files: ['src/datasets/labels/imagenet-1k.tsv'],
    holds: "ImageNet's 1,000 classes: wnids, synonyms, names and the development kit's numbers",
    source:
      'WordNet 3.0 (Princeton University) as listed by timm 1.0.31; names of open_clip 3.3.0; numbers of ILSVRC 2012',
    terms: 'WordNet licence; Apache-2.0; MIT; facts',
  },
  {
    files: ['src/datasets/labels/imagenet-a.tsv', 'src/datasets/labels/imagenet-r.tsv'],
    holds: 'classes of ImageNet-A and ImageNet-R (Hendrycks et al. 2021)',
    source: 'timm 1.0.31',
    terms: 'Apache-2.0; the lists: MIT',
  },
  {
    files: ['src/datasets/labels/imagenet-v2.tsv'],
    holds: 'some image ids of the variants of ImageNet-V2',
    source: 'https://github.com/modestyachts/ImageNetV2',
    terms: 'MIT',
  },
  {
    files: [
      'src/datasets/labels/dollarstreet-paper.json',
      'src/datasets/labels/geode-paper.json',
      'src/datasets/labels/geode-overlap-paper.json',
      'src/analysis/paper/paper.json',
      'src/models/testbed.tsv',
    ],
    holds: 'class maps, the list of models and the printed numbers of the paper',
    source:
      'Richards, Kirichenko, Bouchacourt, Ibrahim 2024, https://openreview.net/forum?id=rhaQbS3K3R',
    terms: 'facts, cited',
  },
  {
    files: ['src/datasets/labels/incomes.json'],
    holds: 'bounds of income groups',
    source: "the paper's code and MLCommons' baseline of Dollar Street",
    terms: 'facts, cited',
  },
  {
    files: ['src/datasets/labels/regions.json', 'src/datasets/labels/country-aliases.json'],
    holds: 'countries by region, other names of countries',
    source: "countries-list 3.4.1, the UN's list M49, GeoDE's metadata",
    terms: 'MIT; facts',
  },
  {
    files: ['src/models/zeroShot/englishTemplates.json'],
    holds: 'prompts of zero-shot models',
    source: "OpenAI's CLIP notebook (Radford et al. 2021) as listed by open_clip 3.3.0",
    terms: 'MIT',
  },
  {
    files: ['src/models/zeroShot/mojibake.ts'],
    holds: 'rules of the repair of texts in a wrong encoding',
    source: 'ftfy 6.3.1 (Speer 2019)',
    terms: 'Apache-2.0; facts',
  },
  {
    files: [
      'src/models/timmTags.tsv',
      'src/models/timmHeadTags.tsv',
      'src/models/imagenetHeads.tsv',
      'src/models/costs.tsv',
      'src/models/families/mobileStages.tsv',
      'src/models/families/prunedWidths.tsv',
      'src/models/families/csatv2.tsv',
    ],
    holds: 'architectures, names, preprocessing and licences of published weights',
    source: 'timm 1.0.31',
    terms: 'Apache-2.0',
  },
  {
    files: [
      'src/lib/tensors/configFacts.tsv',
      'src/lib/tensors/libraries.tsv',
      'src/lib/tensors/tensorNames.tsv',
    ],
    holds: 'names of tensors and configurations of checkpoints of other libraries',
    source:
      'torchvision 0.24.1, transformers 4.57.3, efficientnet_pytorch 0.7.1, MMPretrain 1.2.0, the repositories of ConvNeXt and Swin, timm 1.0.22 and open_clip 3.3.0 on those of DINOv2, EVA-02, FastViT and MobileCLIP',
    terms: 'facts, cited',
  },
  {
    files: ['src/models/processors.tsv'],
    holds: 'defaults of image processors',
    source: 'Transformers 4.57.3',
    terms: 'facts',
  },
  {
    files: ['src/models/otherCheckpoints.tsv'],
    holds: "addresses, hashes and licences of authors' checkpoints",
    source: 'the repositories that it names',
    terms: 'facts',
  },
  {
    files: [
      'src/analysis/groupMetrics.json',
      'src/analysis/paper/publishedSources.json',
      'src/cli/demo/objects.json',
      'src/datasets/benchmarks/hubCopies.json',
      'src/evaluate/import/countColumns.json',
    ],
    holds:
      "metrics, sources, the demo's drawings, repositories of copies, and the names that people give columns",
    source: 'this project',
    terms: 'Apache-2.0',
  },
  {
    files: ['src/datasets/labels/translations.tsv'],
    holds: 'class names of Dollar Street and GeoDE in eight languages',
    source: 'this project, unreviewed',
    terms: 'Apache-2.0',
  },
  {
    files: ['src/datasets/labels/countryLanguages.tsv'],
    holds: 'the likely language of each country',
    source: 'Unicode CLDR 48, likelySubtags',
    terms: 'Unicode-3.0; facts',
  },
  {
    files: ['src/models/openclipTags.tsv'],
    holds: 'names, activation and preprocessing of published weights',
    source: 'open_clip 3.3.0',
    terms: 'MIT',
  },
  {
    files: ['src/models/openclipLicences.tsv'],
    holds: 'licences of published weights',
    source: 'model cards and repositories that it names',
    terms: 'facts',
  },
  {
    files: ['src/analysis/paper/accuracies.csv'],
    holds: `published accuracies of ${timm.date} and ${open_clip.date}`,
    source: `${timm.page} and ${open_clip.page}`,
    terms: `${timm.license}; ${open_clip.license}`,
  },
  {
    files: ['src/models/pretraining.tsv'],
    holds: 'data sets of the pretraining and their numbers of images',
    source: 'the publications that it names',
    terms: 'facts',
  },
  {
    files: ['src/analysis/citing/works.tsv'],
    holds: 'works to cite',
    source: 'their publishers',
    terms: 'bibliographic facts',
  },
]

const folderOf = (path: string): string => fileURLToPath(new URL(path, root))

function licenceText(path: string): string | undefined {
  const folder = folderOf(path)
  if (!existsSync(folder)) return undefined
  const name = readdirSync(folder).find(file => /^(licen[cs]e|copying)/i.test(file))
  return name && readFileSync(join(folder, name), 'utf8').replaceAll('\r', '').trim()
}

const mitGrant = /Permission is hereby granted, free of charge/

/** The licence in the lock file; a package that names none there is known by the grant in its text. */
function licenceOf(path: string): string {
  const { license } = locked.get(path)!
  if (license !== undefined && !license.startsWith('SEE LICENSE')) return license
  const text = licenceText(path) ?? ''
  if (text.includes('Bitstream Vera')) return 'Bitstream Vera and Arev fonts licence'
  if (mitGrant.test(text)) return 'MIT'
  throw new Error(`no licence is known of ${path}`)
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 13)

/** The folder from which `from` imports `name`. */
function resolved(name: string, from: string): string {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (locked.has(path)) return path
    if (at === '') throw new Error(`${name} is not in the lock file`)
  }
}

function bundledPackages(): string[] {
  const found = new Set<string>()
  const add = (path: string): void => {
    if (found.has(path)) return
    found.add(path)
    for (const name of Object.keys(locked.get(path)!.dependencies ?? {})) add(resolved(name, path))
  }
  for (const name of bundledRoots) add(resolved(name, ''))
  return [...found].sort()
}

/** Licence texts with the packages that have them word by word. */
function licenceSections(paths: readonly string[]): string[] {
  const byText = new Map<string, string[]>()
  for (const path of paths) {
    const text = licenceText(path)
    if (text === undefined) throw new Error(`no licence text in ${path}`)
    byText.set(text, [...(byText.get(text) ?? []), `${nameOf(path)} ${locked.get(path)!.version}`])
  }
  return [...byText].map(
    ([text, names]) => `### ${names.join(', ')}\n\n\`\`\`text\n${text}\n\`\`\``,
  )
}

const tableOf = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [heads, heads.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')

/** The text of THIRD-PARTY.md. */
export function thirdPartyText(): string {
  const installed = [...locked]
    .filter(([, { dev }]) => !dev)
    .map(([path, { version }]) => [nameOf(path), version, licenceOf(path)])
  const unique = [...new Map(installed.map(row => [row.join(' '), row])).values()]
  return `# What others made

Written by \`npm run docs:notices\` from the lock file, the packages' own licences and the data in \`src/\`.

## Data in this package

${tableOf(
  ['files', 'what', 'from', 'terms'],
  shippedData.map(({ files, holds, source, terms }) => [
    files.map(file => `\`${file.slice('src/'.length)}\``).join(', '),
    holds,
    source,
    terms,
  ]),
)}

The paths are those below \`dist/\`. The map of the dashboard is Natural Earth's (public domain) as packed by world-atlas. Figures use the
font DejaVu Sans of the package dejavu-fonts-ttf; a figure as PDF embeds the glyphs that it shows, which the font's licence allows.

## Packages that npm installs with it

Each of them brings its own licence in \`node_modules/\`. Packages for other platforms are listed too.

${tableOf(['package', 'version', 'licence'], unique)}

## Code in the dashboard's browser code

\`dist/client/\`, and so every bundle that \`geogap report --bundle\` writes, contains parts of these packages.

${licenceSections(bundledPackages()).join('\n\n')}
`
}

/** The text of NOTICE, which section 4 (d) of the Apache License is about. */
export function noticeText(): string {
  const lines = shippedData.map(({ holds, source, terms }) => `- ${holds}: ${source} (${terms})`)
  return `geogap
Copyright the authors of geogap
Licensed under the Apache License, Version 2.0; see LICENSE.

This product contains data that others published:

${lines.join('\n')}

Its dashboard contains code of Preact (MIT), Vega and Vega-Lite (BSD-3-Clause), D3 and TopoJSON (ISC), and the map of
Natural Earth (public domain) as packed by world-atlas (ISC). THIRD-PARTY.md has their licences, and lists every package that npm
installs beside this one.
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('THIRD-PARTY.md', root), thirdPartyText())
  await writeFile(new URL('NOTICE', root), noticeText())
}

import { readdirSync } from 'node:fs'
import { defineConfig } from 'vitepress'

const page = (text: string, name: string) => ({ text, link: `/${name}` })
const datasets = readdirSync(new URL('../datasets', import.meta.url)).map(file =>
  file.replace('.md', ''),
)

const groups = [
  {
    text: 'Use it',
    items: [
      page('Getting started', 'getting-started'),
      page('Your own model', 'own-models'),
      page('Your own images', 'own-images'),
      page('Command line', 'cli'),
      page('Config file', 'config'),
      page('Reproduce the paper', 'reproduce'),
    ],
  },
  {
    text: 'What it works with',
    items: [
      page('Models', 'models'),
      page('Weights', 'weights'),
      page('Preprocessing', 'preprocessing'),
      page('Zero-shot', 'zero-shot'),
      page('Data sets', 'datasets'),
      page('Archives', 'archives'),
      page('Label maps', 'label-maps'),
      page('Places', 'places'),
      page('Predictions', 'predictions'),
      page('Kept outputs', 'keep'),
    ],
  },
  {
    text: 'Benchmarks',
    collapsed: true,
    items: datasets.map(name => page(name, `datasets/${name}`)),
  },
  {
    text: 'Read the results',
    items: [
      page('Metrics', 'metrics'),
      page('Figures and the report', 'figures'),
      page('Compare', 'compare'),
      page('Place', 'place'),
      page('Gate', 'gate'),
      page('Runs over time', 'history'),
      page('The preprocessing detective', 'probe'),
      page('Slices', 'slices'),
      page('Published accuracies', 'published'),
      page('Experiments', 'experiments'),
      page('Limits and ethics', 'limits'),
    ],
  },
  {
    text: 'Behind it',
    items: [
      page('How it is built', 'how-it-is-built'),
      page('Glossary', 'glossary'),
      page('Beyond one machine', 'scale-out'),
      page('Scale', 'scale'),
      page('Dashboard', 'dashboard'),
      page('Stop when sure', 'until'),
      page('What newcomers stumble over', 'stumbles'),
      page('Decisions', 'decisions'),
    ],
  },
]

/** Pages that no group names yet. */
const named = new Set(groups.flatMap(({ items }) => items.map(({ link }) => link)))
const others = readdirSync(new URL('..', import.meta.url))
  .filter(file => file.endsWith('.md') && file !== 'index.md')
  .map(file => file.replace('.md', ''))
  .filter(name => !named.has(`/${name}`))

export default defineConfig({
  title: 'geogap',
  description: 'Does progress on object-recognition benchmarks reach everyone?',
  base: process.env.DOCS_BASE ?? '/',
  ignoreDeadLinks: [/^\/api\/index/],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Start', 'getting-started'),
      page('Command line', 'cli'),
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
    sidebar: [
      ...groups,
      ...(others.length > 0 ? [{ text: 'More', items: others.map(name => page(name, name)) }] : []),
    ],
  },
})

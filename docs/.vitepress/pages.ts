import { readdirSync } from 'node:fs'

const page = (text: string, name: string) => ({ text, link: `/${name}` })
const folder = (name: string) => (file: string, text: string) => page(text, `${name}/${file}`)
const start = folder('start')
const guide = folder('guides')
const reference = folder('reference')
const explanation = folder('explanation')
const developers = folder('developers')

const datasets = readdirSync(new URL('../reference/datasets', import.meta.url)).map(file =>
  file.replace('.md', ''),
)

/** The parts of the book with their pages, as the sidebar lists them. */
export const groups = [
  { text: 'Start', items: [start('install', 'Install')] },
  {
    text: 'Guides',
    items: [
      guide('own-images', 'Your own images'),
      guide('own-model', 'Your own model'),
      guide('compare', 'Compare two models'),
      guide('place', 'Where a model stands'),
      guide('gate', 'A gate in CI'),
      guide('history', 'Runs over time'),
      guide('slices', 'Look at the errors'),
      guide('probe', 'Find wrong preprocessing'),
      guide('keep', 'Rescore without the model'),
      guide('until', 'Stop when sure'),
      guide('dashboard', 'The dashboard'),
      guide('reproduce', 'Reproduce the paper'),
      guide('many-machines', 'Many machines'),
    ],
  },
  {
    text: 'Reference',
    items: [
      {
        ...reference('commands', 'Commands'),
        collapsed: true,
        items: [
          reference('commands/evaluate', 'Evaluate and rescore'),
          reference('commands/import', 'Import'),
          reference('commands/progress', 'Progress'),
          reference('commands/table', 'Tables'),
          reference('commands/compare', 'Compare, judge, follow'),
          reference('commands/report', 'Reports and figures'),
          reference('commands/datasets', 'Data sets'),
          reference('commands/models', 'Models'),
          reference('commands/experiments', 'Experiments'),
          reference('commands/machines', 'Runs and machines'),
        ],
      },
      reference('config', 'Config file'),
      reference('datasets', 'Data sets'),
      reference('hub-datasets', 'Data sets of the hub'),
      {
        text: 'Benchmarks',
        collapsed: true,
        items: datasets.map(name => reference(`datasets/${name}`, name)),
      },
      reference('label-maps', 'Label maps'),
      reference('places', 'Places'),
      reference('archives', 'Archives'),
      reference('models', 'Models'),
      reference('weights', 'Weights'),
      reference('preprocessing', 'Preprocessing'),
      reference('zero-shot', 'Zero-shot'),
      {
        ...reference('metrics', 'Metrics'),
        collapsed: true,
        items: [
          reference('metrics/disparity', 'Disparities'),
          reference('metrics/progress', 'Progress and comparisons'),
        ],
      },
      reference('figures', 'Figures and the report'),
      reference('published', 'Published accuracies'),
      reference('experiments', 'Experiments'),
      reference('formats', 'File formats'),
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
  },
  {
    text: 'Explanation',
    items: [
      explanation('limits', 'Limits and ethics'),
      explanation('how-it-is-built', 'How it is built'),
      explanation('reliability', 'Reliability'),
    ],
  },
  { text: 'Help', items: [page('Glossary', 'glossary')] },
  {
    text: 'Developers',
    collapsed: true,
    items: [
      developers('performance', 'Performance'),
      developers('scale', 'Scale'),
      developers('coverage', 'Coverage of intervals'),
      developers('gate', 'What a gate can find'),
      developers('many-machines', 'Many machines, measured'),
      developers('faults', 'Faults, counted'),
      developers('experiments', 'Experiments, measured'),
      developers('stumbles', 'What newcomers stumble over'),
      developers('decisions', 'Decisions'),
    ],
  },
]

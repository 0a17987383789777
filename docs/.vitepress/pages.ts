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
  {
    text: 'Start',
    items: [
      start('install', 'Install'),
      start('tutorial', 'Tutorial'),
      start('your-report', 'Read your report'),
      start('real-model', 'A real model'),
    ],
  },
  {
    text: 'Guides',
    items: [
      guide('own-images', 'Your own images'),
      guide('own-model', 'Your own model'),
      guide('own-predictions', 'Your own predictions'),
      guide('hub-data', 'A data set from the hub'),
      guide('compare', 'Compare two models'),
      guide('slices', 'Look at the errors'),
      guide('place', 'Where a model stands'),
      guide('gate', 'A gate in CI'),
      guide('history', 'Runs over time'),
      guide('probe', 'Find wrong preprocessing'),
      guide('keep', 'Rescore without the model'),
      guide('languages', 'Names in other languages'),
      guide('until', 'Stop when sure'),
      guide('reproduce', 'Reproduce the paper'),
      guide('many-machines', 'Many machines'),
      guide('write-up', 'Write it up'),
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
          reference('commands/show', 'Show'),
          reference('commands/progress', 'Progress'),
          reference('commands/table', 'Tables'),
          reference('commands/compare', 'Compare, judge, follow'),
          reference('commands/report', 'Reports and figures'),
          reference('commands/datasets', 'Data sets'),
          reference('commands/models', 'Models'),
          reference('commands/experiments', 'Experiments'),
          reference('commands/features', 'Features'),
          reference('commands/machines', 'Runs and machines'),
          reference('commands/setup', 'This machine'),
        ],
      },
      reference('config', 'Config file'),
      {
        ...reference('datasets', 'Data sets'),
        collapsed: true,
        items: [
          reference('manifests', 'Manifests'),
          reference('image-folders', 'Folders and archives'),
          reference('hub-datasets', 'Data sets of the hub'),
          reference('ids', 'Ids and problems'),
        ],
      },
      {
        text: 'Benchmarks',
        collapsed: true,
        items: datasets.map(name => reference(`datasets/${name}`, name)),
      },
      reference('label-maps', 'Label maps'),
      reference('places', 'Places'),
      reference('archives', 'Archives'),
      reference('models', 'Models'),
      reference('model-json', 'Models of your own'),
      reference('model-kinds', 'Weights, pairs and heads'),
      reference('hub-models', 'Models of the hub'),
      reference('weights', 'Weights'),
      reference('weight-files', 'Weight files'),
      reference('preprocessing', 'Preprocessing'),
      reference('zero-shot', 'Zero-shot'),
      {
        ...reference('metrics', 'Metrics'),
        collapsed: true,
        items: [
          reference('metrics/accuracy', 'Accuracy and calibration'),
          reference('metrics/choose', 'More than top-1'),
          reference('metrics/disparity', 'Disparities'),
          reference('metrics/adjusted', 'Place, objects or income'),
          reference('metrics/progress', 'Progress and comparisons'),
          reference('metrics/changes', 'Changes and limits'),
          reference('metrics/trend', 'Place on a trend'),
          reference('metrics/early', 'Stopping early'),
        ],
      },
      reference('figures', 'Figures'),
      reference('drawing', 'How figures are drawn'),
      reference('report', 'The report'),
      reference('dashboard', 'Dashboard'),
      reference('dashboard-files', 'Share a dashboard'),
      reference('published', 'Published accuracies'),
      reference('counts', 'Counts by group'),
      {
        ...reference('experiments', 'Experiments'),
        collapsed: true,
        items: [
          reference('experiments/retraining', 'Last-layer retraining'),
          reference('experiments/western-bias', 'Western bias'),
          reference('experiments/neighbours', 'Nearest neighbours'),
        ],
      },
      reference('formats', 'File formats'),
      reference('packs', 'Packs and kept counts'),
      reference('kept-outputs', 'Kept outputs'),
      reference('queue', 'Shares and queues'),
      reference('stores', 'Stores and trust'),
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
  },
  {
    text: 'Explanation',
    items: [
      explanation('disparity', 'How to read a disparity'),
      explanation('limits', 'Limits and ethics'),
      explanation('how-it-is-built', 'How it is built'),
      explanation('reliability', 'Reliability'),
      explanation('other-tools', 'Other tools'),
    ],
  },
  {
    text: 'Help',
    items: [
      page('Questions', 'faq'),
      page('Troubleshooting', 'troubleshooting'),
      page('Glossary', 'glossary'),
    ],
  },
  {
    text: 'Developers',
    collapsed: true,
    items: [
      developers('adding', 'Add to it'),
      developers('performance', 'Performance'),
      developers('measured-speed', 'Speed, measured'),
      developers('scale', 'Scale'),
      developers('coverage', 'Coverage of intervals'),
      developers('gate', 'What a gate can find'),
      developers('until', 'Stopping early, measured'),
      developers('many-machines', 'Many machines, measured'),
      developers('faults', 'Faults, counted'),
      developers('experiments', 'Experiments, measured'),
      developers('testbed-pack', "The testbed's pack"),
      developers('stumbles', 'What newcomers stumble over'),
      developers('decisions', 'Decisions'),
    ],
  },
]

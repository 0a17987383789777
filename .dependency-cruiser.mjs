/** The rooms of src/ and the rooms that each of them may import, in whatever form: lower rooms know nothing of higher ones. */
export const rooms = {
  lib: [],
  metrics: ['lib'],
  datasets: ['lib'],
  models: ['lib', 'datasets'],
  results: ['lib', 'metrics', 'datasets'],
  evaluate: ['lib', 'metrics', 'datasets', 'models', 'results'],
  analysis: ['lib', 'metrics', 'datasets', 'models', 'results'],
  report: ['lib', 'metrics', 'datasets', 'models', 'results', 'analysis'],
  experiments: ['lib', 'metrics', 'datasets', 'models', 'results', 'evaluate', 'analysis'],
  dashboard: ['lib', 'metrics', 'datasets', 'models', 'results', 'evaluate', 'analysis', 'report'],
  cli: [
    'lib',
    'metrics',
    'datasets',
    'models',
    'results',
    'evaluate',
    'analysis',
    'report',
    'experiments',
    'dashboard',
  ],
  'index.ts': [
    'lib',
    'metrics',
    'datasets',
    'models',
    'results',
    'evaluate',
    'analysis',
    'report',
    'experiments',
    'dashboard',
  ],
}

export default {
  forbidden: [
    ...Object.entries(rooms).map(([room, known]) => ({
      name: `${room}-imports-only-${known.join('-') || 'itself'}`,
      severity: 'error',
      from: { path: `^src/${room}(/|$)` },
      to: { path: '^src/', pathNot: [room, ...known].map(name => `^src/${name}(/|$)`) },
    })),
    {
      name: 'client-is-browser-code',
      severity: 'error',
      from: { path: '^src/dashboard/client/' },
      to: {
        path: '^src/',
        pathNot:
          '^src/(dashboard|report/figures|metrics)/|^src/(report/page/style|lib/table/(text|columns|values)|analysis/(datasetCounts|compare))\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'index-is-for-others',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'src-ships-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|bench|examples)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    includeOnly: '^(src|test|scripts|bench|examples)/',
  },
}

/** What every room above the results knows. */
const base = ['lib', 'metrics', 'datasets', 'models', 'results']
const all = [...base, 'evaluate', 'analysis', 'report', 'experiments', 'dashboard']

/** The rooms of src/ and the rooms that each of them may import, in whatever form: lower rooms know nothing of higher ones. */
export const rooms = {
  lib: [],
  metrics: ['lib'],
  datasets: ['lib'],
  models: ['lib', 'datasets'],
  results: ['lib', 'metrics', 'datasets'],
  evaluate: base,
  analysis: base,
  report: [...base, 'analysis'],
  experiments: [...base, 'evaluate', 'analysis'],
  dashboard: [...base, 'evaluate', 'analysis', 'report'],
  cli: all,
  'index.ts': all,
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
          '^src/(dashboard|report/figures|metrics)/|^src/(report/page/(style|htmlTable|tableRows)|lib/(ownValue|tally|table/(text|columns|formats|values))|analysis/(answerSentences|datasetCounts|compare))\\.ts$|^src/report/page/tables\\.js$',
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

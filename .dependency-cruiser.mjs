/** Which folder of src/ may know which: lower ones know nothing of higher ones. Checked by `npm test`. */
const leaves =
  '^src/(cached|errors|files|machine|places/place|random|scratch|sha256|sql|tally|version|report/text)\\.ts$'
const top = ['commands', 'bin', 'server', 'cluster', 'demo']

/** `folder` may import from itself, the leaves and `known`, and from nothing else of src/. */
const knows = (folder, ...known) => ({
  name: `${folder}-knows-only-${known.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [leaves, ...[folder, ...known].map(name => `^src/${name}(/|\\.ts$)`)] },
})

/** Nothing below the top imports a command, the server or the queue. */
const library = {
  name: 'library-knows-no-program',
  severity: 'error',
  from: { path: '^src/', pathNot: top.map(name => `^src/${name}/`) },
  to: { path: top.map(name => `^src/${name}/`) },
}

export default {
  forbidden: [
    knows('graph'),
    knows('metrics'),
    knows('preprocessing', 'graph'),
    knows('published', 'metrics'),
    knows('datasets', 'preprocessing', 'models/download', 'places'),
    knows('models', 'graph', 'preprocessing', 'datasets', 'inference', 'places'),
    knows('inference', 'graph', 'preprocessing', 'datasets', 'models', 'predictions/schema'),
    knows('training', 'graph', 'models', 'inference'),
    knows('places', 'models/hubCache', 'datasets/(files|members)'),
    knows(
      'predictions',
      'preprocessing/steps',
      'datasets',
      'metrics',
      'places',
      'plan',
      'inference/(messages|score)',
      'models/(safetensors|tensors)',
    ),
    knows(
      'experiments',
      '(evaluate|targets|runDataset|plan)',
      'graph',
      'training',
      'preprocessing',
      'datasets',
      'models',
      'inference',
      'metrics',
      'places/folder',
      'predictions',
    ),
    knows(
      'figures',
      'datasets',
      'models',
      'metrics',
      'predictions',
      'run',
      'report/tables',
      'experiments/westernShare',
    ),
    library,
    {
      name: 'no-circle',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only', 'dynamic-import'] } },
    },
    {
      name: 'client-is-browser-code',
      severity: 'error',
      from: { path: '^src/server/client/' },
      to: {
        path: '^src/',
        pathNot: '^src/(server|figures|metrics)/|^src/(report/(style|text|tables)|decide/compare)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    { name: 'index-is-for-others', severity: 'error', from: { path: '^src/' }, to: { path: '^src/index\\.ts$' } },
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

import { type Command } from 'commander'

export interface CommandEntry {
  name: string
  group: 'get' | 'run' | 'look' | 'decide' | 'experiment' | 'operate'
  summary: string
  load: () => Promise<{ command: () => Command }>
}

/** What a person may be doing, in the order of the overview. */
const groups: Record<CommandEntry['group'], string> = {
  get: 'Get',
  run: 'Run',
  look: 'Look',
  decide: 'Decide',
  experiment: 'Experiment',
  operate: 'Operate',
}

/** Every command; its module is imported only when it is used. */
export const commands: readonly CommandEntry[] = [
  { name: 'models', group: 'get', summary: 'list the models that can be named', load: () => import('./models.ts') },
  { name: 'datasets', group: 'get', summary: 'list, show and check benchmarks', load: () => import('./datasets.ts') },
  { name: 'fetch', group: 'get', summary: 'download benchmarks', load: () => import('./fetch.ts') },
  {
    name: 'demo',
    group: 'run',
    summary: 'the whole main job on a small made-up world',
    load: () => import('./demo.ts'),
  },
  { name: 'evaluate', group: 'run', summary: 'evaluate models on data sets', load: () => import('./evaluate.ts') },
  {
    name: 'rescore',
    group: 'run',
    summary: 'score kept outputs with other labels or prompts',
    load: () => import('./rescore.ts'),
  },
  {
    name: 'import',
    group: 'run',
    summary: 'take in accuracies or predictions made elsewhere',
    load: () => import('./import.ts'),
  },
  {
    name: 'manifest',
    group: 'run',
    summary: "write a data set's ids for predictions made elsewhere",
    load: () => import('./manifest.ts'),
  },
  { name: 'table', group: 'look', summary: 'accuracy and disparity as tables', load: () => import('./table.ts') },
  { name: 'report', group: 'look', summary: 'write a self-contained HTML report', load: () => import('./report.ts') },
  { name: 'serve', group: 'look', summary: 'look at results in a browser', load: () => import('./serve.ts') },
  {
    name: 'figure',
    group: 'look',
    summary: 'draw a figure as SVG, PNG, PDF or JSON',
    load: () => import('./figure.ts'),
  },
  {
    name: 'slice',
    group: 'look',
    summary: 'list images for relabelling or exclusion',
    load: () => import('./slice.ts'),
  },
  { name: 'figures', group: 'look', summary: 'list the figures', load: () => import('./figures.ts') },
  {
    name: 'compare',
    group: 'decide',
    summary: 'who gained and who lost between two models or runs',
    load: () => import('./compare.ts'),
  },
  {
    name: 'status',
    group: 'operate',
    summary: 'what is complete, running, failed or stale',
    load: () => import('./status.ts'),
  },
  {
    name: 'verify',
    group: 'operate',
    summary: 'compute a share of stored shards again and compare',
    load: () => import('./verify.ts'),
  },
  { name: 'work', group: 'operate', summary: 'evaluate for the runs at a queue', load: () => import('./work.ts') },
  {
    name: 'queue',
    group: 'operate',
    summary: 'list, pause, resume and cancel the runs at a queue',
    load: () => import('./queue.ts'),
  },
  {
    name: 'doctor',
    group: 'operate',
    summary: 'what runs here, and how to mend the rest',
    load: () => import('./doctor.ts'),
  },
  {
    name: 'completion',
    group: 'operate',
    summary: 'let bash, zsh or fish complete names',
    load: () => import('./completion.ts'),
  },
  { name: 'place', group: 'decide', summary: 'a model among comparable ones', load: () => import('./place.ts') },
  {
    name: 'methods',
    group: 'decide',
    summary: 'what a paper has to say about a run',
    load: () => import('./methods.ts'),
  },
  { name: 'pull', group: 'decide', summary: 'take a pack from elsewhere', load: () => import('./pull.ts') },
  { name: 'power', group: 'decide', summary: 'what a data set could show', load: () => import('./power.ts') },
  { name: 'pack', group: 'decide', summary: 'write the counts of a run as one file', load: () => import('./pack.ts') },
  { name: 'gate', group: 'decide', summary: 'fail when a limit is broken', load: () => import('./gate.ts') },
  {
    name: 'history',
    group: 'decide',
    summary: 'accuracy and disparity of tagged runs over time',
    load: () => import('./history.ts'),
  },
  {
    name: 'retrain',
    group: 'experiment',
    summary: "retrain a model's last layer on a data set",
    load: () => import('./retrain.ts'),
  },
  {
    name: 'finetune',
    group: 'experiment',
    summary: 'fine-tune a whole network under western bias',
    load: () => import('./finetune.ts'),
  },
  {
    name: 'neighbours',
    group: 'experiment',
    summary: 'where unlabelled images come from',
    load: () => import('./neighbours.ts'),
  },
  {
    name: 'experiment',
    group: 'experiment',
    summary: "one of the paper's experiments: its command, the paper's values, ours",
    load: () => import('./experiment.ts'),
  },
]

/** The names of all commands. */
export const overviewNames = (): string[] => commands.map(({ name }) => name)

/** The text of `geogap --help`. */
export async function overview(): Promise<string> {
  const { version } = await import('../version.ts')
  const lines = [
    `geogap ${version}: does progress on object-recognition benchmarks reach everyone?`,
    '',
    'usage: geogap COMMAND [options]',
  ]
  for (const [group, title] of Object.entries(groups)) {
    if (!commands.some(command => command.group === group)) continue
    lines.push('', title)
    for (const { name, summary } of commands.filter(command => command.group === group))
      lines.push(`  ${name.padEnd(12)}${summary}`)
  }
  lines.push(
    '',
    'geogap COMMAND --help shows the options and an example of each; --debug the stack trace of an error.',
    '',
  )
  return lines.join('\n')
}

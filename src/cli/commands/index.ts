import { type CommandEntry } from './command.ts'

type CommandRow = readonly [name: string, summary: string, load: CommandEntry['load']]

/** All commands by task, in the order of the overview. The module of a command is imported when it is used. */
const commandGroups: Readonly<Record<string, readonly CommandRow[]>> = {
  Get: [
    ['models', 'list the models that can be named', () => import('./models.ts')],
    ['datasets', 'list, show and check benchmarks', () => import('./datasets.ts')],
    ['fetch', 'download benchmarks', () => import('./fetch.ts')],
  ],
  Run: [
    ['demo', 'the whole main job on a small made-up world', () => import('./demo.ts')],
    ['evaluate', 'evaluate models on data sets', () => import('./evaluate.ts')],
    ['rescore', 'score kept outputs by other labels, prompts', () => import('./rescore.ts')],
    ['import', 'take in predictions or accuracies of others', () => import('./import.ts')],
    ['manifest', "write a data set's ids, to predict elsewhere", () => import('./manifest.ts')],
  ],
  Look: [
    ['show', 'the answer of a run at one look', () => import('./show.ts')],
    ['progress', 'does progress reach places: rates and gaps', () => import('./progress.ts')],
    ['table', 'accuracy and disparity as tables', () => import('./table.ts')],
    ['languages', 'English beside the languages of places', () => import('./languages.ts')],
    ['report', 'write a self-contained HTML report', () => import('./report.ts')],
    ['serve', 'look at results in a browser', () => import('./serve.ts')],
    ['figure', 'draw a figure as SVG, PNG, PDF or JSON', () => import('./figure.ts')],
    ['figures', 'list the figures', () => import('./figures.ts')],
    ['slice', 'list images for relabelling or exclusion', () => import('./slice.ts')],
  ],
  Decide: [
    ['compare', 'who gained and lost between two models', () => import('./compare.ts')],
    ['place', 'a model among comparable ones', () => import('./place.ts')],
    ['gate', 'fail when a limit is broken', () => import('./gate.ts')],
    ['history', 'accuracy and disparity of runs over time', () => import('./history.ts')],
    ['power', 'what a data set could show, before any run', () => import('./power.ts')],
    ['methods', 'what a paper has to say about a run', () => import('./methods.ts')],
    ['pack', 'write the counts of a run as one file', () => import('./pack.ts')],
    ['pull', 'take a pack from elsewhere', () => import('./pull.ts')],
  ],
  Experiment: [
    ['retrain', "retrain a model's last layer on a data set", () => import('./retrain.ts')],
    ['finetune', 'fine-tune a whole network under western bias', () => import('./finetune.ts')],
    ['linear-probe', 'what features tell of places', () => import('./linearProbe.ts')],
    ['neighbours', 'where unlabelled images come from', () => import('./neighbours.ts')],
    ['experiment', "the paper's experiments beside ours", () => import('./experiment.ts')],
  ],
  Operate: [
    ['status', 'what is complete, running, failed or stale', () => import('./status.ts')],
    ['verify', 'compute stored shards again and compare', () => import('./verify.ts')],
    ['work', 'evaluate for the runs at a queue', () => import('./work.ts')],
    ['queue', 'list, pause, resume and cancel runs', () => import('./queue.ts')],
    ['doctor', 'what runs here, and how to fix the rest', () => import('./doctor.ts')],
    ['completion', 'let bash, zsh or fish complete names', () => import('./completion.ts')],
  ],
}

export const commands: readonly CommandEntry[] = Object.values(commandGroups)
  .flat()
  .map(([name, summary, load]) => ({ name, summary, load }))

/** Returns the text of `geogap --help`. */
export async function helpText(): Promise<string> {
  const { version } = await import('../../lib/version.ts')
  const parts = Object.entries(commandGroups).map(([title, rows]) =>
    [title, ...rows.map(([name, summary]) => `  ${name.padEnd(14)}${summary}`)].join('\n'),
  )
  return `geogap ${version}: does progress on object-recognition benchmarks reach everyone?

usage: geogap COMMAND [options]; to begin: geogap demo

${parts.join('\n\n')}

geogap COMMAND --help shows the options and an example of each; --debug the stack trace of an error.
`
}

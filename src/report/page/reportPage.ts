/*
 * The report: one file that needs nothing else. Its content policy allows no request at all, and only the style and the
 * script that are written here, by their hashes; everything that comes from results enters through escaping templates.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describeMethods } from '../../analysis/citing/methods.ts'
import { type RunView, runView } from '../../analysis/runView.ts'
import { writeOutput } from '../../lib/files.ts'
import { countStatuses } from '../../results/counts.ts'
import { type Run } from '../../results/run.ts'
import { version } from '../../lib/version.ts'
import { citationsSection } from './citations.ts'
import { figuresSection } from './figuresSection.ts'
import { folded, markup, type Markup, trustMarkup } from './markup.ts'
import { runSentence } from '../../analysis/runSentence.ts'
import { countText, withUnbrokenSpaces } from '../../lib/table/text.ts'
import { problemsSection, type ImageStatusRow } from './problems.ts'
import { recordSection } from './record.ts'
import { tablesSection } from './resultSections.ts'
import { darkFiguresCss, pageFootersCss } from './style.ts'
import { summarySection } from './summary.ts'

/**
 * Writes a run's report as one self-contained HTML file. Errors: storage.
 *
 * @example
 * await writeReport(await openRun('results'), 'report.html')
 */
export async function writeReport(run: Run, file: string): Promise<void> {
  await writeOutput(file, await reportPage(runView(run), await countStatuses(run.entries)))
}

const sectionTitles = {
  summary: 'Main numbers',
  figures: 'Figures',
  tables: 'Tables',
  problems: 'Failures and problems',
  record: 'What was run',
  citing: 'How to cite',
} as const

/** Returns the text of the page. */
export async function reportPage(
  results: RunView,
  statuses: readonly ImageStatusRow[],
): Promise<string> {
  const said = describeMethods(results.run)
  const empty = results.run.entries.length === 0 ? markup`<p>No evaluation is stored.</p>` : null
  const answer = await runSentence(results)
  const sections: Record<keyof typeof sectionTitles, Markup> = {
    summary: await summarySection(results),
    figures: await figuresSection(results),
    tables: empty ?? (await tablesSection(results)),
    problems: problemsSection(results, statuses),
    record: empty ?? folded('Data sets, models, weights and methods', recordSection(results, said)),
    citing: folded('References and BibTeX', citationsSection(said.bibliography)),
  }
  const body = Object.entries(sections).map(
    ([id, section]) => markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${sectionTitles[id as keyof typeof sectionTitles]}</h2>
${section}</section>
`,
  )
  return (await pageMarkup(results, { sentence: answer.sentence, body })).markup
}

interface PageContent {
  /** The answer of the run in words. */
  sentence: string
  body: readonly Markup[]
}

async function pageMarkup(results: RunView, { sentence, body }: PageContent): Promise<Markup> {
  const { syntheticNote: madeUp } = results
  const { name, facts } = runFacts(results)
  const style =
    (await readAsset('base.css')) +
    (await readAsset('tables.css')) +
    (await readAsset('report.css')) +
    darkFiguresCss +
    pageFootersCss(madeUp)
  const script =
    (await readAsset('tables.js')).replaceAll('export ', '') + (await readAsset('report.js'))
  const policy = `default-src 'none'; style-src ${cspHash(style)}; script-src ${cspHash(script)}; base-uri 'none'; form-action 'none'`
  const links = Object.entries(sectionTitles).map(
    ([id, title]) => markup`<li><a href="#${id}">${title}</a></li>`,
  )
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trustMarkup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="geogap ${version}">
<title>${madeUp !== null && 'Made up: '}${name}: accuracy by place</title>
<style>${trustMarkup(style)}</style>
</head>
<body>
<a class="skip" href="#summary">Skip to the main numbers</a>
<header>
<h1>${name}</h1>
<p class="facts">${facts}</p>
${madeUp !== null && markup`<p class="banner" role="note">${madeUp}</p>`}
<p class="answer">${withUnbrokenSpaces(sentence)}</p>
</header>
<nav aria-label="Sections"><ul>${links}</ul></nav>
<main>
${body}</main>
${trustMarkup(`<script>${script}</script>`)}
</body>
</html>
`
}

/** Returns the run's own name, which is that of its folder, and its date and size. */
function runFacts({ run, models, roles }: RunView): { name: string; facts: string } {
  const parts = run.dir.split(/[\\/]/).filter(part => part !== '')
  const own = parts.findLast(part => part !== 'results') ?? 'Results'
  const days = run.entries.map(({ created }) => created.slice(0, 10)).sort()
  const datasets =
    roles.geographic.length + roles.standard.length + Number(roles.reference !== null)
  const facts = [...new Set([days[0], days.at(-1)].filter(day => day !== undefined))].join(' to ')
  return {
    name: own,
    facts: [
      facts,
      countText(models.length, 'model'),
      countText(datasets, 'data set'),
      `geogap ${version}`,
    ]
      .filter(text => text !== '')
      .join(' · '),
  }
}

const readAsset = (name: string): Promise<string> =>
  readFile(new URL(`./${name}`, import.meta.url), 'utf8')

const cspHash = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`

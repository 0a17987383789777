/*
 * The report: one file that needs nothing else. Its content policy allows no request at all, and only the style and the
 * script that are written here, by their hashes; everything that comes from results enters through escaping templates.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { methods } from '../../analysis/citing/methods.ts'
import { type Results, resultsOf } from '../../analysis/view.ts'
import { writeOutput } from '../../lib/files.ts'
import { statusCounts } from '../../results/store.ts'
import { type Run } from '../../results/run.ts'
import { version } from '../../lib/version.ts'
import { citations } from './citations.ts'
import { figuresSection } from './figuresSection.ts'
import { markup, type Markup, trusted } from './markup.ts'
import { problemsSection, type StatusRow } from './problems.ts'
import { recordSection } from './record.ts'
import { tablesSection } from './resultSections.ts'
import { darkFigures, pageFeet } from './style.ts'
import { summary } from './summary.ts'

/** Writes a run's report as one self-contained HTML file. Errors: storage. */
export async function writeReport(run: Run, file: string): Promise<void> {
  await writeOutput(file, await reportPage(resultsOf(run), await statusCounts(run.entries)))
}

const titles = {
  summary: 'Main numbers',
  figures: 'Figures',
  tables: 'Tables',
  problems: 'Failures and problems',
  record: 'What was run',
  citing: 'How to cite',
} as const

/** The text of the page. */
export async function reportPage(results: Results, statuses: readonly StatusRow[]): Promise<string> {
  const said = methods(results.run)
  const empty = results.run.entries.length === 0 ? markup`<p>No evaluation is stored.</p>` : null
  const sections: Record<keyof typeof titles, Markup> = {
    summary: await summary(results),
    figures: await figuresSection(results),
    tables: empty ?? (await tablesSection(results)),
    problems: problemsSection(results, statuses),
    record: empty ?? recordSection(results, said),
    citing: citations(said.bibliography),
  }
  const body = Object.entries(sections).map(
    ([id, section]) => markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${titles[id as keyof typeof titles]}</h2>
${section}</section>
`,
  )
  return (await page(results, body)).markup
}

async function page({ madeUp }: Results, body: readonly Markup[]): Promise<Markup> {
  const style = (await asset('base.css')) + (await asset('report.css')) + darkFigures + pageFeet(madeUp)
  const script = await asset('report.js')
  const policy = `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}; base-uri 'none'; form-action 'none'`
  const links = Object.entries(titles).map(([id, title]) => markup`<li><a href="#${id}">${title}</a></li>`)
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="geogap ${version}">
<title>${madeUp !== null && 'Made up: '}Accuracy by region, progress gap and geographic disparity</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#summary">Skip to the main numbers</a>
<header>
<h1>Does progress on object-recognition benchmarks reach everyone?</h1>
<p class="facts">Report of geogap ${version}</p>
${madeUp !== null && markup`<p class="banner" role="note">Made-up data. ${madeUp}</p>`}
<nav aria-label="Sections"><ul>${links}</ul></nav>
</header>
<main>
${body}</main>
<script>${trusted(script)}</script>
</body>
</html>
`
}

const asset = (name: string): Promise<string> => readFile(new URL(`./${name}`, import.meta.url), 'utf8')

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Formats the result of a gate as text, Markdown or JUnit XML. */
import { type GateCheck, type GateLimit } from '../../analysis/gateChecks.ts'
import { type GateResult } from '../../analysis/gate.ts'
import { type TableColumn, fieldColumns, shareColumn } from '../../lib/table/columns.ts'
import {
  countText,
  groupList,
  percent,
  shortList,
  stripControlCharacters,
} from '../../lib/table/text.ts'
import { type Answer } from './answer.ts'

/** Names of a limit's columns: the measured value, its bound and the allowed value. */
interface LimitText {
  title: string
  measure: (value: string) => string
  boundIs: 'at least' | 'at most'
  limitIs: string
}

const limitTexts: Readonly<Record<GateLimit, LimitText>> = {
  'max-drop': {
    title: 'drop against the baseline',
    measure: value => `drop of ${value} points`,
    boundIs: 'at least',
    limitIs: 'at most … allowed',
  },
  'min-worst': {
    title: 'accuracy of the worst group',
    measure: value => `accuracy ${value} %`,
    boundIs: 'at most',
    limitIs: 'at least … required',
  },
  'max-disparity': {
    title: 'disparity',
    measure: value => `disparity of ${value} points`,
    boundIs: 'at least',
    limitIs: 'at most … allowed',
  },
}

/** Returns a text such as `gate failed: 1 of 20 checks broken, 4 decided; …. Nigeria (resnet50 on geode): drop of 5.2 points, at least …`. */
export function gateSentence({ passed, checks }: GateResult): string {
  const broken = checks.filter(({ verdict }) => verdict === 'broken')
  const undecided = checks.filter(({ verdict }) => verdict === 'undecided').length
  const more =
    undecided === 0
      ? ''
      : `; ${undecided} ${undecided === 1 ? 'needs' : 'need'} more images (geogap power says how many)`
  const decided = `${checks.length - undecided} of ${countText(checks.length, 'check')} decided`
  if (passed) return `gate passed: ${decided}, none broken${more}`
  const named = broken
    .slice(0, 3)
    .map(check => `${check.group} (${check.model} on ${check.dataset}): ${gateCheckText(check)}`)
  const others = broken.length > 3 ? [`${broken.length - 3} more broken`] : []
  return `gate failed: ${decided}, ${broken.length} broken${more}. ${[...named, ...others].join('; ')}`
}

function gateCheckText(check: GateCheck): string {
  const { rule, bound, limit, reason } = check
  const { measure, boundIs, limitIs } = limitTexts[rule]
  const range = bound === null ? reason : `${boundIs} ${percent(bound)} with 95 % confidence`
  return `${measure(percent(check.value))}, ${range}, ${limitIs.replace('…', percent(limit))}`
}

const columns: TableColumn<GateCheck>[] = [
  ...fieldColumns({ verdict: 'verdict', model: 'model', dataset: 'data set', group: 'group' }),
  shareColumn('value', 'seen'),
  shareColumn('bound', '95 % bound'),
  { ...shareColumn('limit', 'allowed'), name: 'allowed' },
  ...fieldColumns({ rule: 'limit', n: 'n' }),
  { name: 'reason', heading: '', value: row => row.reason },
]

const verdictOrder: readonly GateCheck['verdict'][] = ['broken', 'undecided', 'holds']
const maxShownChecks = 40

/** Returns the answer with all broken checks shown, and at most 40 checks where fewer are broken. */
export function gateAnswer(gate: GateResult): Answer<GateCheck> {
  const rows = [...gate.checks].sort(
    (a, b) => verdictOrder.indexOf(a.verdict) - verdictOrder.indexOf(b.verdict),
  )
  const broken = rows.filter(({ verdict }) => verdict === 'broken').length
  const shownRows = rows.slice(0, Math.max(maxShownChecks, broken))
  const notes = [
    `broken: the data show that the limit is passed (chance of a false alarm over everything judged: at most ${percent(gate.alpha, 0)} %). holds: the group's own 95 % bound is within the limit, said of each check alone: one just beyond its limit is taken to hold in at most 5 % of runs. undecided: cannot be told with these images; it does not fail the gate, and does not say that the limit is kept.`,
    'Values in percent, drops and disparities in percentage points of top-1 accuracy. 95 % bound, of that check alone: what a drop or a disparity is at least, an accuracy at most. Drops are on the same images as the baseline.',
    ...(shownRows.length < rows.length
      ? [`${rows.length - shownRows.length} more checks hold or are undecided (--json lists all).`]
      : []),
    ...unboundedNotes(rows),
    ...(gate.leftOut.length > 0
      ? [`Fewer than ${gate.minN} images, not judged: ${groupList(gate.leftOut, 8)}.`]
      : []),
    ...gate.notes,
  ]
  return { sentence: gateSentence(gate), columns, rows, shownRows, notes }
}

/** Returns a note for each reason why groups could not be judged, with their names. */
function unboundedNotes(rows: readonly GateCheck[]): string[] {
  const reasons = rows.flatMap(({ reason }) => reason ?? [])
  const kinds = [...new Set(reasons.map(reason => reason.replace(/^no interval: /, '')))]
  const shown = shortList(kinds, maxShownReasons)
  return kinds.length === 0 ? [] : [`Cannot be told for ${reasons.length} checks: ${shown}.`]
}

const maxShownReasons = 5

const escapeXml = (text: string): string =>
  stripControlCharacters(text).replace(/[&<>"']/g, found => `&#${found.charCodeAt(0)};`)

/** Returns JUnit's XML: one suite for each limit, one case for each group. An undecided case passes and says so. */
export function gateJunit({ checks, passed }: GateResult): string {
  const broken = (list: readonly GateCheck[]): number =>
    list.filter(({ verdict }) => verdict === 'broken').length
  const suites = (Object.keys(limitTexts) as GateLimit[]).flatMap(rule => {
    const mine = checks.filter(check => check.rule === rule)
    if (mine.length === 0) return []
    const head = `  <testsuite name="geogap ${rule}: ${escapeXml(limitTexts[rule].title)}" tests="${mine.length}" failures="${broken(mine)}" errors="0">`
    return [head, ...mine.map(junitCase), '  </testsuite>']
  })
  const totals = `tests="${checks.length}" failures="${passed ? 0 : broken(checks)}" errors="0"`
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="geogap gate" ${totals}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

function junitCase(check: GateCheck): string {
  const head = `    <testcase classname="${escapeXml(`${check.dataset} ${check.model}`)}" name="${escapeXml(check.group)}">`
  const text = escapeXml(gateCheckText(check))
  if (check.verdict === 'broken') return `${head}<failure message="${text}"/></testcase>`
  return `${head}<system-out>${check.verdict}: ${text}</system-out></testcase>`
}

import { type FollowState } from '../../evaluate/queue/followRun.ts'
import { type EvaluationProgress } from '../../evaluate/progress.ts'
import { executionText } from '../print/profile.ts'
import { bytesText, durationText, stripControlCharacters, timeText } from '../../lib/table/text.ts'
import { shortenText, textWidth } from '../../lib/table/wrapText.ts'

let quiet = false

/** Turns progress and notes off, or on again. */
export const setQuiet = (on = true): void => void (quiet = on)

/** Prints a note on standard error, such as the next command. */
export function printNote(text: string): void {
  if (!quiet) process.stderr.write(`${stripControlCharacters(text)}\n`)
}

/** Prints the terms of a data set line by line. */
export function printTerms(terms: string): void {
  for (const line of terms.split('\n')) printNote(line)
}

/**
 * Returns a function that shows progress: on a terminal one line, rewritten ten times a second; elsewhere a line every five
 * seconds. A `fresh` line and the `last` one are shown at once.
 */
function createTicker(stream: NodeJS.WriteStream) {
  let printed = 0
  return (parts: () => ProgressLine, { fresh, last }: { fresh: boolean; last: boolean }): void => {
    const now = performance.now()
    if (quiet || (!fresh && !last && now - printed < (stream.isTTY ? 100 : 5000))) return
    printed = now
    if (stream.isTTY)
      stream.write(
        `\r${fitToWidth(parts(), (stream.columns || 80) - 1)}\u001b[K${last ? '\n' : ''}`,
      )
    else stream.write(`${progressLineText(parts())}\n`)
  }
}

/** The name of the work, an optional bar, and the state. */
interface ProgressLine {
  name: string
  bar?: string
  state: string
}

const progressLineText = ({ name, bar, state }: ProgressLine): string =>
  stripControlCharacters([name, bar ?? '', state].filter(part => part !== '').join('  '))

/** Returns a line that fits `width` columns: the bar is dropped first, then the end of the name. */
export function fitToWidth({ name, bar, state }: ProgressLine, width: number): string {
  const whole = progressLineText({ name, ...(bar !== undefined && { bar }), state })
  if (textWidth(whole) <= width) return whole
  const room = width + 1 - textWidth(progressLineText({ name: '…', state }))
  return progressLineText({ name: shortenText(stripControlCharacters(name), room), state })
}

/** Returns a function that shows progress on standard error: a bar on a terminal, a line every few seconds elsewhere. */
export function progressPrinter(
  stream: NodeJS.WriteStream = process.stderr,
): (progress: EvaluationProgress) => void {
  const show = createTicker(stream)
  let [started, current] = [0, '']
  return ({ models, dataset, total, done, plan: way }) => {
    const name = `${models.length === 1 ? models[0]! : `${models.length} models`} on ${dataset}`
    if (done === 0 && way && !quiet)
      stream.write(
        `${stripControlCharacters(`${name}: ${executionText(way)}, ${timeText(way)}`)}\n`,
      )
    const fresh = name !== current || done === 0
    if (fresh) [current, started] = [name, performance.now()]
    const parts = (): ProgressLine => ({
      name,
      ...progressOf(total, done, (performance.now() - started) / 1000),
    })
    show(parts, { fresh, last: done === total })
  }
}

const barWidth = 24

function progressOf(total: number, done: number, seconds: number): Omit<ProgressLine, 'name'> {
  const full = Math.round((total === 0 ? 1 : done / total) * barWidth)
  const rate = seconds > 0 ? done / seconds : 0
  const speed = rate > 0 ? `  ${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)} images/s` : ''
  const left = rate > 0 && done < total ? `  ${durationText((total - done) / rate)} left` : ''
  return {
    bar: '█'.repeat(full) + '░'.repeat(barWidth - full),
    state: `${done}/${total}${speed}${left}`,
  }
}

/** Returns a function that shows the units of a run at a queue, with the time left by estimated cost. */
export function queuePrinter(stream: NodeJS.WriteStream = process.stderr) {
  const show = createTicker(stream)
  let first: { at: number; doneSeconds: number } | undefined
  let shown = ''
  return ({ units, done, seconds, doneSeconds, failedUnits: apart }: FollowState): void => {
    first ??= { at: performance.now(), doneSeconds }
    const rate = (doneSeconds - first.doneSeconds) / ((performance.now() - first.at) / 1000)
    const left =
      rate > 0 && done < units ? `${durationText((seconds - doneSeconds) / rate)} left` : ''
    const name = `${done}/${units} units${apart > 0 ? `, ${apart} set apart` : ''}`
    if (name === shown && !stream.isTTY) return
    shown = name
    show(() => ({ name, state: left }), { fresh: true, last: done === units })
  }
}

/** Returns a function that shows a download on standard error. */
export function transferPrinter(stream: NodeJS.WriteStream = process.stderr) {
  const show = createTicker(stream)
  return (name: string, done: number, total: number | undefined): void => {
    const state = (): string =>
      `${bytesText(done)}${total === undefined ? '' : ` of ${bytesText(total)}`}`
    show(() => ({ name, state: state() }), { fresh: false, last: done === total })
  }
}

/** Returns the width and colours of standard output; 80 columns and none where it is no terminal. */
export const terminalStyle = () => ({
  width: process.stdout.columns || 80,
  color: process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
})

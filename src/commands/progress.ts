import { type DriveState } from '../cluster/drive.ts'
import { type Progress } from '../runDataset.ts'
import { runAs } from '../report/profileTable.ts'
import { bytesText, durationText, printable } from '../report/text.ts'

const width = 24
let quiet = false

/** From now on no progress and no notes. */
export const quieten = (): void => void (quiet = true)

/** A note on standard error: what comes next, or what was written where. */
export function note(text: string): void {
  if (!quiet) process.stderr.write(`${text}\n`)
}

/** Shows progress on standard error: a bar on a terminal, a line every few seconds elsewhere. */
export function progressPrinter(stream: NodeJS.WriteStream = process.stderr): (progress: Progress) => void {
  let started = 0
  let current = ''
  let printed = 0
  return progress => {
    if (quiet) return
    const { models, dataset, total, done, way } = progress
    const name = `${models.length === 1 ? models[0]! : `${models.length} models`} on ${dataset}`
    if (done === 0 && way) stream.write(`${printable(name)}: ${runAs(way)}\n`)
    if (name !== current || done === 0) [current, started, printed] = [name, performance.now(), 0]
    const now = performance.now()
    const last = done === total
    if (!last && done > 0 && now - printed < (stream.isTTY ? 100 : 5000)) return
    printed = now
    const line = printable(progressLine(name, total, done, (now - started) / 1000))
    if (!stream.isTTY) stream.write(`${line}\n`)
    else stream.write(`\r${line.slice(0, stream.columns - 1)}\u001b[K${last ? '\n' : ''}`)
  }
}

function progressLine(name: string, total: number, done: number, seconds: number): string {
  const share = total === 0 ? 1 : done / total
  const full = Math.round(share * width)
  const bar = '█'.repeat(full) + '░'.repeat(width - full)
  const rate = seconds > 0 ? done / seconds : 0
  const left = rate > 0 && done < total ? `  ${durationText((total - done) / rate)} left` : ''
  const speed = rate > 0 ? `  ${rate < 10 ? rate.toFixed(1) : rate.toFixed(0)} images/s` : ''
  return `${name}  ${bar}  ${done}/${total}${speed}${left}`
}

/** Shows units of a run at a queue as `progressPrinter` shows images; time left by estimated cost. */
export function queuePrinter(stream: NodeJS.WriteStream = process.stderr) {
  let first: { at: number; doneSeconds: number } | undefined
  let shown = ''
  return ({ units, done, seconds, doneSeconds, apart }: DriveState): void => {
    first ??= { at: performance.now(), doneSeconds }
    const rate = (doneSeconds - first.doneSeconds) / ((performance.now() - first.at) / 1000)
    const left = rate > 0 ? `  ${durationText((seconds - doneSeconds) / rate)} left` : ''
    const line = `${done}/${units} units${apart > 0 ? `, ${apart} set apart` : ''}`
    if (line === shown && !stream.isTTY) return
    shown = line
    stream.write(stream.isTTY ? `\r${line}${left}\u001b[K${done === units ? '\n' : ''}` : `${line}${left}\n`)
  }
}

/** Shows a download on standard error, as `progressPrinter` shows images. */
export function transferPrinter(stream: NodeJS.WriteStream = process.stderr) {
  let printed = 0
  return (name: string, done: number, total: number | undefined): void => {
    if (quiet) return
    const now = performance.now()
    const last = done === total
    if (!last && now - printed < (stream.isTTY ? 100 : 5000)) return
    printed = now
    const line = printable(`${name}  ${bytesText(done)}${total === undefined ? '' : ` of ${bytesText(total)}`}`)
    stream.write(stream.isTTY ? `\r${line.slice(0, stream.columns - 1)}\u001b[K${last ? '\n' : ''}` : `${line}\n`)
  }
}

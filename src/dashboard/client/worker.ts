/** Asks the page's worker. */
import { type Drawing } from './drawings.ts'
import { type ViewData, type ViewQuery } from './loadView.ts'
import { pageOrigin } from './origin.ts'

export type WorkerTask =
  { view: keyof ViewData; query: ViewQuery } | { drawing: Drawing; isForPaper: boolean }

export interface WorkerQuestion {
  id: number
  task: WorkerTask
}

/** What a task gave, or the message of its error. */
export interface WorkerAnswer {
  id: number
  value?: unknown
  error?: string
}

const worker = new Worker(new URL('./work.ts', import.meta.url), {
  type: 'module',
  name: JSON.stringify(pageOrigin),
})
const open = new Map<number, (answer: WorkerAnswer) => void>()
let asked = 0

worker.addEventListener('message', ({ data }: MessageEvent<WorkerAnswer>) => {
  open.get(data.id)!(data)
  open.delete(data.id)
})

/** Returns the data of a view, or a figure as SVG. Errors are for the reader of the page. */
export function askWorker<T>(task: WorkerTask): Promise<T> {
  const id = asked++
  worker.postMessage({ id, task } satisfies WorkerQuestion)
  return new Promise((resolve, reject) =>
    open.set(id, ({ value, error }) =>
      error === undefined ? resolve(value as T) : reject(new Error(error)),
    ),
  )
}

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

const worker = new Worker(new URL('./worker.ts', import.meta.url), {
  type: 'module',
  name: JSON.stringify(pageOrigin),
})
const open = new Map<number, (answer: WorkerAnswer) => void>()
let asked = 0
let failure: string | undefined

worker.addEventListener('message', ({ data }: MessageEvent<WorkerAnswer>) => {
  open.get(data.id)!(data)
  open.delete(data.id)
})

// A script that cannot be loaded ends all tasks; those of a running worker answer for themselves.
worker.addEventListener('error', () => {
  failure = `A script of this page cannot be loaded. ${
    pageOrigin.isBundle
      ? 'Copy the whole folder of the bundle to the web host, and load the page again.'
      : 'Is geogap serve still running, and not updated since? Start it again and load its page.'
  }`
  for (const [id, answer] of open) answer({ id, error: failure })
  open.clear()
})

/** Returns the data of a view, or a figure as SVG. Errors are for the reader of the page. */
export function askWorker<T>(task: WorkerTask): Promise<T> {
  if (failure !== undefined) return Promise.reject(new Error(failure))
  const id = asked++
  worker.postMessage({ id, task } satisfies WorkerQuestion)
  return new Promise((resolve, reject) =>
    open.set(id, ({ value, error }) =>
      error === undefined ? resolve(value as T) : reject(new Error(error)),
    ),
  )
}

/** The page's worker: it computes views and draws figures, so that the page stays free for clicks. */
import { drawSvg } from './drawings.ts'
import { loadView } from './loadView.ts'
import { type WorkerAnswer, type WorkerQuestion } from './askWorker.ts'

addEventListener('message', ({ data: { id, task } }: MessageEvent<WorkerQuestion>) => {
  const answer = (text: Omit<WorkerAnswer, 'id'>): void => self.postMessage({ id, ...text })
  const work: Promise<unknown> =
    'drawing' in task ? drawSvg(task.drawing, task.isForPaper) : loadView(task.view, task.query)
  work.then(
    value => answer({ value }),
    (error: unknown) => answer({ error: (error as Error).message }),
  )
})

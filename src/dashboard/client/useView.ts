import { useEffect, useState } from 'preact/hooks'
import { type ViewData, type ViewQuery } from './loadView.ts'
import { pageOrigin } from './origin.ts'
import { askWorker } from './askWorker.ts'

/** Milliseconds between two requests of a page that shows progress. */
export const pollMs = 5000

export interface ViewState<T> {
  data: T | undefined
  error: string | undefined
  /** Whether the data are those of the query, not of the one before. */
  isCurrent: boolean
}

/** The outcome of a request; `of` names the view and the query that it belongs to. */
interface LoadedState<T> extends Omit<ViewState<T>, 'isCurrent'> {
  of: string
}

/**
 * Returns a view's data; the previous data stay until the next have arrived. With `everyMs` the data are read again after
 * so many milliseconds, unless the page is a bundle.
 */
export function useView<V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
  everyMs?: number,
): ViewState<ViewData[V]> {
  const [state, setState] = useState<LoadedState<ViewData[V]>>({
    data: undefined,
    error: undefined,
    of: '',
  })
  const key = JSON.stringify([view, query])
  useEffect(() => {
    let isCurrent = true
    let timer: number | undefined
    const setIfCurrent = (next: LoadedState<ViewData[V]>): void => {
      if (isCurrent) setState(next)
    }
    const load = (): void => {
      askWorker<ViewData[V]>({ view, query })
        .then(
          data => setIfCurrent({ data, error: undefined, of: key }),
          (error: unknown) =>
            setIfCurrent({ data: undefined, error: (error as Error).message, of: key }),
        )
        .finally(() => {
          if (isCurrent && everyMs !== undefined && !pageOrigin.isBundle)
            timer = window.setTimeout(load, everyMs)
        })
    }
    load()
    return () => {
      isCurrent = false
      clearTimeout(timer)
    }
  }, [view, key, everyMs])
  const { data, error, of } = state
  return { data, error, isCurrent: of === key }
}

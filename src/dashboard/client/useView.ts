import { useEffect, useState } from 'preact/hooks'
import { isBundle } from './data.ts'
import { loadView, type ViewData, type ViewQuery } from './loadView.ts'

/** Milliseconds between two requests of a page that shows progress. */
export const pollMs = 5000

export type ViewState<T> = { data: T | undefined; error: string | undefined }

/**
 * Returns a view's data; the previous data stay until the next have arrived. With `everyMs` the data are read again after
 * so many milliseconds, unless the page is a bundle.
 */
export function useView<V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
  everyMs?: number,
): ViewState<ViewData[V]> {
  const [state, setState] = useState<ViewState<ViewData[V]>>({ data: undefined, error: undefined })
  const key = JSON.stringify(query)
  useEffect(() => {
    let isCurrent = true
    let timer: number | undefined
    const setIfCurrent = (next: ViewState<ViewData[V]>): void => {
      if (isCurrent) setState(next)
    }
    const load = (): void => {
      loadView(view, query)
        .then(
          data => setIfCurrent({ data, error: undefined }),
          (error: unknown) => setIfCurrent({ data: undefined, error: (error as Error).message }),
        )
        .finally(() => {
          if (isCurrent && everyMs !== undefined && !isBundle)
            timer = window.setTimeout(load, everyMs)
        })
    }
    load()
    return () => {
      isCurrent = false
      clearTimeout(timer)
    }
  }, [view, key, everyMs])
  return state
}

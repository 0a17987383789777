/** Where the views get their data: from the server, or in a bundle from files beside the page. */
import { useEffect, useState } from 'preact/hooks'
import type { ClusterState } from '../../evaluate/queue/queue.ts'
import {
  type CompareView,
  type GalleryPage,
  type ModelView,
  type Overview,
  type DashboardProgress,
  type ScatterRow,
} from '../views.ts'

export interface ViewData {
  overview: Overview
  progress: DashboardProgress
  cluster: ClusterState
  scatter: ScatterRow[]
  model: ModelView
  gallery: GalleryPage
  flips: GalleryPage
  compare: CompareView
}

/** Milliseconds between questions of a page that shows what is at work. */
export const pollMs = 5000

export type ViewQuery = Readonly<Record<string, string>>
type ViewLoader = <V extends keyof ViewData>(view: V, query: ViewQuery) => Promise<ViewData[V]>

const loadFromServer: ViewLoader = async <V extends keyof ViewData>(view: V, query: ViewQuery) => {
  const response = await fetch(`api/${view}?${new URLSearchParams(query).toString()}`).catch(() => {
    throw new Error('The server does not answer: is geogap serve still running?')
  })
  const answer = await response.text()
  if (response.ok) return JSON.parse(answer) as ViewData[V]
  const isJson = response.headers.get('content-type')?.includes('json')
  throw new Error(isJson ? (JSON.parse(answer) as { error: string }).error : answer)
}

/** Whether this page is a bundle of files without a server. */
const isBundle = document.documentElement.dataset['source'] === 'files'

const loadView: ViewLoader = async (view, query) =>
  isBundle ? (await import('./bundled.ts')).loadFromFiles(view, query) : loadFromServer(view, query)

export type ViewState<T> = { data: T | undefined; error: string | undefined }

/** A view's data; while other data are on their way the old stay. `every` asks again after so many milliseconds. */
export function useView<V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
  every?: number,
): ViewState<ViewData[V]> {
  const [answered, setAnswered] = useState<ViewState<ViewData[V]>>({
    data: undefined,
    error: undefined,
  })
  const key = JSON.stringify(query)
  useEffect(() => {
    let wanted = true
    let timer: number | undefined
    const again = (): void => {
      if (wanted && every !== undefined && !isBundle) timer = window.setTimeout(load, every)
    }
    const load = (): void => {
      loadView(view, query)
        .then(
          data => wanted && setAnswered({ data, error: undefined }),
          (error: unknown) =>
            wanted && setAnswered({ data: undefined, error: (error as Error).message }),
        )
        .finally(again)
    }
    load()
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [view, key, every])
  return answered
}

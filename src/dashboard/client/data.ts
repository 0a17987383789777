/** Where the views get their data: from the server, or in a bundle from files beside the page. */
import { useEffect, useState } from 'preact/hooks'
import type { ClusterState } from '../../evaluate/queue/queue.ts'
import {
  type CompareView,
  type GalleryPage,
  type ModelView,
  type Overview,
  type Progress,
  type ScatterRow,
} from '../views.ts'

export interface Views {
  overview: Overview
  progress: Progress
  cluster: ClusterState
  scatter: ScatterRow[]
  model: ModelView
  gallery: GalleryPage
  flips: GalleryPage
  compare: CompareView
}

/** Milliseconds between questions of a page that shows what is at work. */
export const pollMs = 5000

export type Query = Readonly<Record<string, string>>
type Ask = <V extends keyof Views>(view: V, query: Query) => Promise<Views[V]>

const fromServer: Ask = async <V extends keyof Views>(view: V, query: Query) => {
  const response = await fetch(`api/${view}?${new URLSearchParams(query).toString()}`).catch(() => {
    throw new Error('The server does not answer: is geogap serve still running?')
  })
  const answer = await response.text()
  if (response.ok) return JSON.parse(answer) as Views[V]
  const isJson = response.headers.get('content-type')?.includes('json')
  throw new Error(isJson ? (JSON.parse(answer) as { error: string }).error : answer)
}

/** Whether this page is a bundle of files without a server. */
const isBundle = document.documentElement.dataset['source'] === 'files'

const ask: Ask = async (view, query) =>
  isBundle ? (await import('./bundled.ts')).fromFiles(view, query) : fromServer(view, query)

export type Answered<T> = { data: T | undefined; error: string | undefined }

/** A view's data; while other data are on their way the old stay. `every` asks again after so many milliseconds. */
export function useView<V extends keyof Views>(view: V, query: Query, every?: number): Answered<Views[V]> {
  const [answered, setAnswered] = useState<Answered<Views[V]>>({ data: undefined, error: undefined })
  const key = JSON.stringify(query)
  useEffect(() => {
    let wanted = true
    let timer: number | undefined
    const again = (): void => {
      if (wanted && every !== undefined && !isBundle) timer = window.setTimeout(load, every)
    }
    const load = (): void => {
      ask(view, query)
        .then(
          data => wanted && setAnswered({ data, error: undefined }),
          (error: unknown) => wanted && setAnswered({ data: undefined, error: (error as Error).message }),
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

/** Every view has an address, `#/view?name=value`, so that it can be bookmarked, shared and returned to. */
import { useEffect, useState } from 'preact/hooks'

export interface Route {
  view: string
  query: Readonly<Record<string, string>>
}

function parseRoute(hash: string): Route {
  const [, view = '', text = ''] = /^#\/?([^?]*)\??(.*)$/.exec(hash) ?? []
  return { view, query: Object.fromEntries(new URLSearchParams(text)) }
}

/** Returns the address of a view. Empty and missing values are left out. */
export function linkTo(
  view: string,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const kept = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []))
  const text = new URLSearchParams(kept).toString()
  return `#/${view}${text === '' ? '' : `?${text}`}`
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useEffect(() => {
    const follow = (): void => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return route
}

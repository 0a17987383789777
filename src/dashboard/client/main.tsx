import { type FunctionComponent, render } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { type Overview } from '../views.ts'
import { ClusterView } from './cluster.tsx'
import { CompareView, FlipsView } from './compare.tsx'
import { useView } from './useView.ts'
import { GalleryView } from './gallery.tsx'
import { ModelView } from './model.tsx'
import { ModelsView } from './models.tsx'
import { OverviewView } from './overview.tsx'
import { WhenLoaded } from './parts.tsx'
import { linkTo, type Route, useRoute } from './route.ts'
import './style.css'

type ViewComponent = FunctionComponent<{ overview: Overview; route: Route }>

const views = new Map<string, ViewComponent>([
  ['', OverviewView],
  ['models', ModelsView],
  ['model', ModelView],
  ['gallery', GalleryView],
  ['compare', CompareView],
  ['flips', FlipsView],
  ['cluster', ClusterView],
])

const pages = [
  ['', 'Overview'],
  ['models', 'Models'],
  ['compare', 'Compare'],
] as const

function App() {
  const overview = useView('overview', {})
  const route = useRoute()
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  useEffect(() => {
    const heading = main.current?.querySelector('h1')
    if (!heading) return
    document.title = `${heading.textContent} · geogap`
    if (!first.current) heading.focus()
    first.current = false
  }, [route.view, overview.data === undefined])
  const View = views.get(route.view)
  return (
    <>
      <header>
        <nav aria-label="Views">
          <strong>geogap</strong>
          {[...pages, ...(overview.data?.cluster ? [['cluster', 'Cluster'] as const] : [])].map(
            ([view, title]) => (
              <a
                key={view}
                href={linkTo(view)}
                aria-current={view === route.view ? 'page' : undefined}
              >
                {title}
              </a>
            ),
          )}
        </nav>
        {overview.data?.madeUp && <p class="banner">Made-up data: {overview.data.madeUp}</p>}
      </header>
      <main ref={main}>
        <WhenLoaded of={overview}>
          {data => {
            if (!View) return <p role="alert">There is no view {route.view}.</p>
            if (data.datasets.length === 0 && !['', 'cluster'].includes(route.view))
              return <p role="alert">There are no results yet.</p>
            return <View overview={data} route={route} />
          }}
        </WhenLoaded>
      </main>
    </>
  )
}

const app = document.getElementById('app')!
app.replaceChildren()
render(<App />, app)

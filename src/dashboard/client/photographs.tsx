import { useState } from 'preact/hooks'
import { choiceQuery, type ScreenProps } from './choice.ts'
import { nameOf, WhenLoaded, wholeNumberText } from './parts.tsx'
import { pageOrigin } from './origin.ts'
import { PhotographTile, type PictureChoice, PictureDialog } from './picture.tsx'
import { linkTo } from './route.ts'
import { useView } from './useView.ts'

/** Photographs on the first screen, or answers alone, which take a third of the space. */
const shownPhotographs = 6
const shownAnswers = 18

/** The most confident wrong answers, where the model is worst or where the filter says. */
export function Photographs({ overview, choice, screen }: Omit<ScreenProps, 'route'>) {
  const { by, disparity } = screen
  const isPlaced = choice.filter.region !== undefined || choice.filter.country !== undefined
  const worst = !isPlaced && by && disparity?.worst ? { [by]: disparity.worst } : {}
  const query = { ...choiceQuery(choice), ...worst }
  const view = useView('gallery', { ...query, outcome: 'wrong', page: '0' })
  const [open, setOpen] = useState<PictureChoice | null>(null)
  const place = choice.filter.country ?? choice.filter.region ?? Object.values(worst)[0]
  const other = choice.dataset.models.find(model => model !== choice.model)
  return (
    <section class="photographs" aria-labelledby="photographs-title">
      <h2 id="photographs-title">
        Wrong{place === undefined ? '' : ` in ${nameOf(overview.names, place)}`}
      </h2>
      <WhenLoaded of={view}>
        {({ total, items }) => {
          const pictured = items.slice(0, shownPhotographs)
          const isPictured = pictured.some(({ image }) => image !== null)
          const shown = isPictured ? pictured : items.slice(0, shownAnswers)
          return (
            <>
              {total === 0 && <p>No answer is wrong here.</p>}
              {shown.length > 0 && !isPictured && <MissingPictures />}
              <ul class={isPictured ? 'tiles' : 'tiles wordy'}>
                {shown.map(item => (
                  <li key={item.id}>
                    <PhotographTile
                      item={item}
                      names={overview.names}
                      onOpen={() => setOpen({ item, query, other })}
                    />
                  </li>
                ))}
              </ul>
              {total > 0 && (
                <p class="quiet">
                  <a href={linkTo('gallery', query)}>All {wholeNumberText(total)} wrong answers</a>,
                  the most confident first
                </p>
              )}
            </>
          )
        }}
      </WhenLoaded>
      {open && <PictureDialog {...open} names={overview.names} onClose={() => setOpen(null)} />}
    </section>
  )
}

const MissingPictures = () => (
  <p class="quiet">
    {pageOrigin.isBundle ? (
      <>
        This bundle holds no photographs (<code>geogap report --bundle --images</code> adds them);
        their names and answers are below.
      </>
    ) : (
      <>
        The photographs are not on this machine, or may not be read:{' '}
        <code>geogap serve --images FOLDER</code> names where they lie.
      </>
    )}
  </p>
)

/** Photographs: small, and large with all that is known of them. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { percent } from '../../lib/table/text.ts'
import { type GalleryItem, type ModelAnswer } from '../pages.ts'
import { nameOf, WhenLoaded } from './parts.tsx'
import { useView } from './useView.ts'

/** The thumbnail, or a note that there is none. */
function Picture({ address, label }: { address: string | null; label: string }) {
  const [failed, setFailed] = useState(false)
  if (address === null || failed) return <div class="picture quiet">no picture here</div>
  return (
    <img
      class="picture"
      src={address}
      alt={`an image of ${label}`}
      loading="lazy"
      onError={() => setFailed(true)}
    />
  )
}

interface TileProps {
  item: GalleryItem
  names: Readonly<Record<string, string>>
  onOpen: () => void
}

/** A thumbnail with its truth and what each model answered; it opens large. */
export function PhotographTile({ item, names, onOpen }: TileProps) {
  const { image, label, answers, country, region, status } = item
  const truth = nameOf(names, label)
  const place = country === null ? region : nameOf(names, country)
  return (
    <button type="button" class="tile" onClick={onOpen} title={`${label}, ${item.id}`}>
      <Picture address={image} label={truth} />
      <span class="said">
        <strong>{truth}</strong>
        {place !== null && <span class="quiet"> {place}</span>}
        {status !== 'ok' && <span class="wrong"> {status}</span>}
        {answers.map(({ model, correct, top: [first] }) => (
          <span key={model} class={`seen ${correct ? 'right' : 'wrong'}`}>
            {answers.length > 1 && `${model}: `}
            {first ? `${first.label} ${percent(first.p, 0)}\u00a0%` : 'no answer'}
          </span>
        ))}
      </span>
    </button>
  )
}

/** An opened photograph, the address' query of its page, and the other model whose answer is shown beside. */
export interface PictureChoice {
  item: GalleryItem
  query: Readonly<Record<string, string>>
  other: string | undefined
}

interface PictureDialogProps extends PictureChoice {
  names: Readonly<Record<string, string>>
  onClose: () => void
}

/** A photograph large, with its truth, its groups and the five most probable classes of both models. */
export function PictureDialog({ item, query, other, names, onClose }: PictureDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  const { id, large, label, accepted, region, country, income, status, answers } = item
  const truth = nameOf(names, label)
  const place = [country && nameOf(names, country), region, income]
    .filter(text => text !== null)
    .join(', ')
  const others = accepted.filter(name => name !== truth)
  return (
    <dialog
      ref={dialog}
      class="large"
      aria-label={truth}
      onClose={onClose}
      onClick={event => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="sheet">
        <Picture address={large} label={truth} />
        <div>
          <h2 title={label}>{truth}</h2>
          {others.length > 0 && <p class="quiet">accepts {others.join(', ')}</p>}
          {place !== '' && <p>{place}</p>}
          {status !== 'ok' && <p class="wrong">{status}</p>}
          {answers.map(answer => (
            <TopClasses key={answer.model} {...answer} />
          ))}
          {answers.length === 1 && other !== undefined && (
            <OtherAnswer query={{ ...query, model: other }} id={id} />
          )}
          <p class="quiet">{id}</p>
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  )
}

function OtherAnswer({ query, id }: { query: Readonly<Record<string, string>>; id: string }) {
  const view = useView('answer', { ...query, id })
  return <WhenLoaded of={view}>{answer => <TopClasses {...answer} />}</WhenLoaded>
}

function TopClasses({ model, correct, top }: ModelAnswer) {
  const verdict = correct === null ? 'not judged' : correct ? 'right' : 'wrong'
  return (
    <>
      <p class={verdict}>
        {model}: {verdict}
      </p>
      <ol class="top">
        {top.map(({ label, p, accepted }, i) => (
          <li key={i} class={accepted ? 'right' : ''}>
            <span>
              {label}
              {accepted && <b aria-label="accepted"> ✓</b>}
            </span>{' '}
            <span class="number">{percent(p)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

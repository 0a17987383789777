/** Where labels go so that no two of them, and no label and no point, cover each other. All sizes in pixels. */
import { textWidthPx } from './fonts.ts'

/**
 * Returns positions of the middles of labels of these heights within a range, each as near to the preferred one as the others
 * allow, in the preferred order.
 */
export function spreadPositions(
  preferred: readonly number[],
  heights: readonly number[],
  [low, high]: readonly [low: number, high: number],
): number[] {
  const order = preferred.map((_, i) => i).sort((a, b) => preferred[a]! - preferred[b]! || a - b)
  const placed = new Array<number>(preferred.length).fill(0)
  const gap = (a: number, b: number): number => (heights[a]! + heights[b]!) / 2
  for (const [rank, i] of order.entries()) {
    const before = order[rank - 1]
    const least = before === undefined ? low + heights[i]! / 2 : placed[before]! + gap(before, i)
    placed[i] = Math.max(preferred[i]!, least)
  }
  for (let rank = order.length - 1; rank >= 0; rank--) {
    const i = order[rank]!
    const after = order[rank + 1]
    const most = after === undefined ? high - heights[i]! / 2 : placed[after]! - gap(i, after)
    placed[i] = Math.min(placed[i]!, most)
  }
  return placed
}

export interface LabelledPoint {
  x: number
  y: number
  text: string
}

export interface PlacedLabel extends LabelledPoint {
  align: 'left' | 'right' | 'center'
}

interface LabelBox {
  left: number
  right: number
  top: number
  bottom: number
}

const isOverlapping = (a: LabelBox, b: LabelBox): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom

/**
 * A label beside each point where one fits: right, left, above or below it, inside `width` × `height`, clear of all
 * points (radius `radius`) and of the labels already placed. Points that come first are served first; a point without
 * room gets no label. `obstacles` are further pixels to keep clear of, such as samples along a line.
 */
export function placeLabels(
  points: readonly LabelledPoint[],
  { width, height, size, radius }: { width: number; height: number; size: number; radius: number },
  obstacles: readonly { x: number; y: number }[] = [],
): PlacedLabel[] {
  const taken = [
    ...points.map(({ x, y }) => boxAround(x, y, radius)),
    ...obstacles.map(({ x, y }) => boxAround(x, y, 2)),
  ]
  const placed: PlacedLabel[] = []
  for (const { x, y, text } of points) {
    if (text === '') continue
    const reach = radius + 4
    const w = textWidthPx(text, size)
    const options: { label: PlacedLabel; box: LabelBox }[] = [
      {
        label: { x: x + reach, y, text, align: 'left' },
        box: textBox({ x: x + reach, y }, w, size),
      },
      {
        label: { x: x - reach, y, text, align: 'right' },
        box: textBox({ x: x - reach - w, y }, w, size),
      },
      {
        label: { x, y: y - size, text, align: 'center' },
        box: textBox({ x: x - w / 2, y: y - size }, w, size),
      },
      {
        label: { x, y: y + size, text, align: 'center' },
        box: textBox({ x: x - w / 2, y: y + size }, w, size),
      },
    ]
    const free = options.find(
      ({ box }) =>
        box.left >= 0 &&
        box.right <= width &&
        box.top >= 0 &&
        box.bottom <= height &&
        !taken.some(other => isOverlapping(box, other)),
    )
    if (!free) continue
    placed.push(free.label)
    taken.push(free.box)
  }
  return placed
}

const boxAround = (x: number, y: number, r: number): LabelBox => ({
  left: x - r,
  right: x + r,
  top: y - r,
  bottom: y + r,
})

const textBox = ({ x, y }: { x: number; y: number }, width: number, size: number): LabelBox => ({
  left: x,
  right: x + width,
  top: y - 0.55 * size,
  bottom: y + 0.55 * size,
})

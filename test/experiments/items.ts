import { type GroupValue, type Sample } from '../../src/datasets/dataset.ts'

const names = ['stove', 'spoon', 'bed']

/** An item of a made-up data set, by its groups. */
export function made(id: string, label: string, groups: Record<string, GroupValue>): Sample {
  return {
    id,
    label,
    labels: [names.indexOf(label)],
    image: { kind: 'file', file: `${id}.jpg` },
    groups,
  }
}

/** `count` households of `images` images each in a region. */
export const households = (region: string, count: number, images: number): Sample[] =>
  Array.from({ length: count * images }, (_, i) =>
    made(`${region}-${i}`, i % 2 === 0 ? 'stove' : 'spoon', {
      region,
      household: `${region}:${i % count}`,
    }),
  )

/** Parts of Vega-Lite's specification that the figures build. */
import type { TopLevelSpec } from 'vega-lite'

export type { TopLevelSpec }
type Layered = Extract<TopLevelSpec, { layer: unknown }>
type Concatenated = Extract<TopLevelSpec, { concat: unknown }>

export type FigureLayer = Layered['layer'][number]
export type LayerSpec = Omit<Extract<Concatenated['concat'][number], { layer: unknown }>, 'name'>
export type UnitSpec = Extract<FigureLayer, { mark: unknown }>
export type PanelSpec = Concatenated['concat'][number]

type Encoding = NonNullable<UnitSpec['encoding']>
/** Both axes of a layer. */
export interface PositionEncoding {
  x: NonNullable<Encoding['x']>
  y: NonNullable<Encoding['y']>
}

/** Text at pixels of its panel: each row has `px`, `py`, `text` and, where `colored`, its `color`. */
export function pixelText(
  values: readonly { px: number; py: number; text: string; color?: string }[],
  mark: {
    align: 'left' | 'right' | 'center'
    fontSize: number
    color?: string
    fontWeight?: 'bold'
  },
): UnitSpec {
  const colored = values.some(({ color }) => color !== undefined)
  return {
    data: { values: values.map(value => ({ ...value })) },
    mark: {
      type: 'text',
      baseline: 'middle',
      x: { expr: 'datum.px' },
      y: { expr: 'datum.py' },
      ...mark,
    },
    encoding: {
      text: { field: 'text' },
      ...(colored ? { color: { field: 'color', type: 'nominal', scale: null } } : {}),
    },
  }
}

/** A disc at each row's value with its interval `low` … `high` along x, in the row's colour, with `about` as its tooltip. */
export function intervalMarks(
  values: readonly { low: number; high: number; color: string; about: string }[],
  position: PositionEncoding,
): UnitSpec[] {
  const data = { values: values.map(value => ({ ...value })) }
  const color = { field: 'color', type: 'nominal', scale: null } as const
  return [
    {
      data,
      mark: { type: 'rule', strokeWidth: 2.5, opacity: 0.45 },
      encoding: { ...position, x: { ...position.x, field: 'low' }, x2: { field: 'high' }, color },
    },
    {
      data,
      mark: { type: 'circle', size: 60, opacity: 1, aria: true },
      encoding: { ...position, color, description: { field: 'about' } },
    },
  ]
}

/** Panels in rows of `columns`, each a complete drawing with its own axes. */
export function concatPanels(panels: readonly PanelSpec[], columns: number): TopLevelSpec {
  return {
    concat: [...panels],
    columns,
    resolve: { scale: { x: 'independent', y: 'independent', color: 'independent' } },
  }
}

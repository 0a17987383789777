/** Parts of Vega-Lite's specification that the figures build. */
import type { TopLevelSpec } from 'vega-lite'

export type { TopLevelSpec }
type Layered = Extract<TopLevelSpec, { layer: unknown }>
type Concatenated = Extract<TopLevelSpec, { concat: unknown }>

export type Layer = Layered['layer'][number]
export type LayerSpec = Omit<Extract<Concatenated['concat'][number], { layer: unknown }>, 'name'>
export type UnitSpec = Extract<Layer, { mark: unknown }>
export type PanelSpec = Concatenated['concat'][number]

type Encoding = NonNullable<UnitSpec['encoding']>
/** Both axes of a layer. */
export interface Position {
  x: NonNullable<Encoding['x']>
  y: NonNullable<Encoding['y']>
}

/** Text at pixels of its panel: each row has `px`, `py`, `text` and, where `colored`, its `color`. */
export function pixelText(
  values: readonly { px: number; py: number; text: string; color?: string }[],
  mark: { align: 'left' | 'right' | 'center'; fontSize: number; color?: string; fontWeight?: 'bold' },
): UnitSpec {
  const colored = values.some(({ color }) => color !== undefined)
  return {
    data: { values: values.map(value => ({ ...value })) },
    mark: { type: 'text', baseline: 'middle', x: { expr: 'datum.px' }, y: { expr: 'datum.py' }, ...mark },
    encoding: {
      text: { field: 'text' },
      ...(colored ? { color: { field: 'color', type: 'nominal', scale: null } } : {}),
    },
  }
}

/** Panels in rows of `columns`, each a complete drawing with its own axes. */
export function panels(panels: readonly PanelSpec[], columns: number): TopLevelSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    concat: [...panels],
    columns,
    resolve: { scale: { x: 'independent', y: 'independent', color: 'independent' } },
  }
}

import { type Query, type Views } from './data.ts'

export const fromFiles = <V extends keyof Views>(view: V, query: Query): Promise<Views[V]> =>
  Promise.reject(new Error(`${view} ${Object.keys(query).length}`))

import { rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { openDashboardStore } from '../../src/dashboard/store.ts'
import { storeRun } from '../helpers/storedRun.ts'

it('what is removed while it is looked at is shown no longer', async () => {
  const correct = [true, false, true]
  const dir = await storeRun(['one', 'two'].map(model => ({ model, dataset: 'geode', correct })))
  try {
    const store = await openDashboardStore(dir)
    expect(store.overview().datasets[0]!.models).toEqual(['one', 'two'])
    await rm(store.evaluation('geode', 'one').folder, { recursive: true })
    await store.refresh()
    expect(store.overview().datasets[0]!.models).toEqual(['two'])
    expect(() => store.evaluation('geode', 'one')).toThrow(/unknown model: one; nearest: two/)
  } finally {
    await rm(dir, { recursive: true })
  }
})

it('codes are called by their names, unless the data set has a group of that name too', async () => {
  const correct = [true, false, true, false]
  const countries = ['KE', 'Kenya', 'FR', 'Nowhere']
  const groups = (i: number) => ({ country: countries[i]! })
  const dir = await storeRun([{ model: 'one', dataset: 'own', correct, groups }])
  try {
    const { names } = (await openDashboardStore(dir)).overview()
    expect(names).toEqual({ FR: 'France' })
  } finally {
    await rm(dir, { recursive: true })
  }
})

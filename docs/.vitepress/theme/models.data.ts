import { execFileSync } from 'node:child_process'

export interface ListedModel {
  model: string
  group: string
  evaluation: string
  /** Millions. */
  parameters: number
  gmac: number
  input: number
  imagenet: number | null
  licence: string
}

interface PrintedModel {
  model: string
  group: string
  evaluation: string
  parameters: number
  multiplyAdds: number
  input: number
  imagenetTop1: number | null
  licence: string
}

export declare const data: ListedModel[]

export default {
  watch: ['../../../src/models/*.tsv'],
  load(): ListedModel[] {
    const command = ['node_modules/tsx/dist/cli.mjs', 'src/cli/bin/geogap.ts']
    const printed = execFileSync(
      process.execPath,
      [...command, 'models', '--all', '--format', 'json'],
      { encoding: 'utf8', maxBuffer: 2 ** 26 },
    )
    return (JSON.parse(printed) as PrintedModel[]).map(row => ({
      model: row.model,
      group: row.group,
      evaluation: row.evaluation,
      parameters: Number((row.parameters / 1e6).toFixed(1)),
      gmac: Number((row.multiplyAdds / 1e9).toFixed(2)),
      input: row.input,
      imagenet: row.imagenetTop1,
      licence: row.licence,
    }))
  },
}

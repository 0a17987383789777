import { readJson } from './archive/json.ts'

const packageJson = readJson(new URL('../../package.json', import.meta.url)) as {
  version: string
}

export const version = packageJson.version

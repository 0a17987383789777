/** Gives a process that starts from sources their built form: in its workers no compiler is needed. */
import { register } from 'node:module'

const hooks = `
  export async function resolve(specifier, context, next) {
    const found = await next(specifier, context)
    const url = found.url.replace(/^(file:.*)\\/src\\/(.*)\\.ts$/, '$1/.build/src/$2.js')
    return { ...found, url, ...(url !== found.url && { format: 'module' }) }
  }`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { type DescribedOnnx } from '../../models/onnx/describe.ts'
import { jsonText, stripControlCharacters } from '../../lib/table/text.ts'
import { defineCommand } from './command.ts'

export const describeCommand = defineCommand({
  name: 'describe',
  text: 'Write the model.json that makes an ONNX file usable as a model, from what the file says of itself.',
  arguments: { '<file>': 'an ONNX file of an image model' },
  options: { '--force': 'overwrite a model.json that is there' },
  examples: ['geogap models describe runs/best.onnx'],
  run: async ({ file, force }) => {
    const { describeOnnx } = await import('../../models/onnx/describe.ts')
    const { descriptionName } = await import('../../models/ownModel.ts')
    const { writeError } = await import('../../lib/files.ts')
    const draft = await describeOnnx(file)
    const target = join(dirname(file), descriptionName)
    const content = jsonText(draft.description)
    await writeFile(target, content, { flag: force ? 'w' : 'wx' }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw inputError('file-exists', `${target} is there already; --force overwrites it`)
      throw writeError(target, error)
    })
    for (const line of descriptionLines(target, draft))
      process.stdout.write(`${stripControlCharacters(line)}\n`)
  },
})

function descriptionLines(target: string, { facts, reasons, towerNote }: DescribedOnnx): string[] {
  const files = new Set(facts.external.map(({ location }) => location))
  const outside = files.size > 0 ? `, weights in ${[...files].slice(0, 5).join(', ')}` : ''
  return [
    `wrote ${target}`,
    `${facts.nodes} nodes, opset ${facts.opset}, ${(facts.parameters / 1e6).toFixed(1)} M weights, by ${facts.producer || 'unknown'}${outside}`,
    '',
    'GUESSED, the file does not say it; check each in model.json, then take it out of its "guessed" list:',
    ...reasons.map(reason => `  ${reason}`),
    ...(towerNote === null ? [] : ['', towerNote]),
  ]
}

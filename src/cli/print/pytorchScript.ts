import { readFileSync } from 'node:fs'
import { type Dataset } from '../../datasets/dataset.ts'
import { shellWord } from '../../lib/table/text.ts'

/** Returns a PyTorch script that predicts for a data set, opened as `asked`, and writes a file for `geogap import`. */
export function pytorchScript(
  { name, classes, labelSpace, choices }: Dataset,
  asked = name,
): string {
  const order =
    labelSpace === 'imagenet-1k'
      ? "# ImageNet's 1,000 classes in wnid order, as torchvision and timm have them.\nCLASSES = 1000"
      : `# The order of the model's outputs.\nCLASS_NAMES = ${pythonList(classes.map(one => JSON.stringify(one)))}\nCLASSES = len(CLASS_NAMES)`
  const values: Readonly<Record<string, string>> = {
    name,
    asked: shellWord(asked),
    order,
    choices: choices === 'all' ? 'None' : pythonList(choices.map(String)),
  }
  const script = readFileSync(new URL('./predict.py', import.meta.url), 'utf8')
  return script.replace(/\{\{(\w+)\}\}/g, (_, key: string) => values[key]!)
}

function pythonList(values: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const value of values) {
    if (line.length + value.length > 96) {
      lines.push(line)
      line = ''
    }
    line += `${line === '' ? '    ' : ' '}${value},`
  }
  return `[\n${[...lines, line].join('\n')}\n]`
}

/** Fine-tunes in the folder of its first argument for as many epochs as the second says, and prints each. */
import { finetune } from '../../src/experiments/finetune.ts'
import { optionsIn } from './patches.ts'

const [folder, epochs] = process.argv.slice(2)
const onEpoch = (epoch: number): void => void process.stdout.write(`${epoch}\n`)
await finetune({ ...optionsIn(folder!), epochs: Number(epochs), onEpoch })

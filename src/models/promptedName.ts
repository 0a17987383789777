/** The prompts of a model by default: its own in the paper's evaluation. */
export const defaultPrompts = 'paper'

/** The name that a model has in results with other prompts, as `promptedName` writes it. */
const pattern = /^(.*?) \(prompts (.+)\)$/s

/** Returns the name of a model in results without its prompts. */
export const plainModelName = (name: string): string => pattern.exec(name)?.[1] ?? name

/** Returns the prompts that the name of a model in results has. */
export const promptsOfName = (name: string): string => pattern.exec(name)?.[2] ?? defaultPrompts

export function changedFiles(ref?: string): string[]
export function affectedTests(changed: readonly string[]): string[]

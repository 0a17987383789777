// The rule that ESLint has and oxlint lacks, for `.oxlintrc.json`.
import { builtinRules } from 'eslint/use-at-your-own-risk'

const name = 'no-restricted-syntax'
export default { meta: { name: 'eslint-core' }, rules: { [name]: builtinRules.get(name) } }

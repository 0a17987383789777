import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['dist/', '.build/', 'coverage/', 'docs/', '**/*.d.ts', 'node_modules/'] },
  ...tseslint.configs.strictTypeChecked.map(config => ({
    ...config,
    files: ['{src,test,scripts,bench,examples}/**/*.{ts,tsx}', '*.config.ts'],
  })),
  {
    files: ['{src,test,scripts,bench,examples}/**/*.{ts,tsx}', '*.config.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A third of the rules' time, and there are neither enums nor class instances to mix up.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression > SpreadElement > ObjectExpression',
          message: 'Write the properties out; a literal is not spread into a literal.',
        },
      ],
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }],
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    rules: {
      'max-params': ['error', { max: 3 }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression > SpreadElement > ObjectExpression',
          message: 'Write the properties out; a literal is not spread into a literal.',
        },
        {
          selector:
            'VariableDeclarator[id.type="ArrayPattern"] > ArrayExpression > AwaitExpression',
          message:
            'Await one after the other, or together by Promise.all; a tuple only looks parallel.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
)

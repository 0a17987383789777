import { defineConfig } from 'vitepress'
import { groups } from './pages.ts'

export default defineConfig({
  title: 'geogap',
  description: 'Does progress on object-recognition benchmarks reach everyone?',
  base: process.env.DOCS_BASE ?? '/',
  ignoreDeadLinks: [/\/api\/index/],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Start', link: '/start/install' },
      { text: 'Guides', link: '/guides/own-images' },
      { text: 'Commands', link: '/reference/commands' },
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
    sidebar: groups,
  },
})

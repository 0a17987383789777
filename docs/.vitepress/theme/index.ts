import DefaultTheme from 'vitepress/theme'
import { type Theme } from 'vitepress'
import ModelTable from './ModelTable.vue'
import './style.css'

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => {
    app.component('ModelTable', ModelTable)
  },
} satisfies Theme

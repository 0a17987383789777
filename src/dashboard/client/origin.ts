/** Where the page is; a worker, which has no document, is told by its name. */
interface PageOrigin {
  base: string
  /** Whether the page is a bundle of files without a server. */
  isBundle: boolean
}

export const pageOrigin: PageOrigin =
  typeof document === 'undefined'
    ? (JSON.parse(self.name) as PageOrigin)
    : {
        base: document.baseURI,
        isBundle: document.documentElement.dataset['source'] === 'files',
      }

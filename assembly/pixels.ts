/*
 * From JPEG data or decoded pixels to a crop, in one module whose memory the caller lays out: fields at the places that the
 * functions below tell, everything of a picture's size from the first free byte on.
 */
import { unstuff } from './huffman'
import { unfilter } from './png'
import { resizeColumns, resizeRows, separate } from './resize'
import { chroma, pixelsOfPlanes, pixelsOfTriples } from './rows'
import { components, grid, pass, scan, scanPass, setTable, spec, steps, transform } from './scan'

export {
  pixelsOfPlanes,
  pixelsOfTriples,
  resizeColumns,
  resizeRows,
  scan,
  scanPass,
  separate,
  setTable,
  transform,
  unfilter,
  unstuff,
}

/** Addresses of the fields in the order steps, spec, components, grid, chroma, pass, and of the first free byte. */
export function place(which: i32): usize {
  if (which == 0) return steps
  if (which == 1) return spec
  if (which == 2) return components
  if (which == 3) return grid
  if (which == 4) return chroma
  return which == 5 ? pass : __heap_base
}

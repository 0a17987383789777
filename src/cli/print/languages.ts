import { type LanguageRow } from '../../evaluate/languages.ts'
import {
  fieldColumns,
  intervalColumns,
  shareColumn,
  type TableColumn,
} from '../../lib/table/columns.ts'
import { formatTable, type TableFormat } from '../../lib/table/formats.ts'

const columns: TableColumn<LanguageRow>[] = [
  ...fieldColumns({
    model: 'model',
    dataset: 'data set',
    region: 'region',
    languages: 'languages',
  }),
  { ...fieldColumns({ n: 'n' })[0]!, type: 'number' },
  shareColumn('english', 'English top-1 %'),
  shareColumn('own', 'own language top-1 %'),
  shareColumn('difference', 'difference'),
  ...intervalColumns<LanguageRow>(({ interval }) => interval ?? [null, null]),
]

/** English beside the languages of the places, by model and region. */
export const languageTable = (rows: readonly LanguageRow[], format: TableFormat): string =>
  formatTable(columns, rows, format)

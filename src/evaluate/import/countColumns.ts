/** Finds out what the columns of a published table of counts hold, by the names that people give them. */
import { countryCode, foldName } from '../../datasets/labels/countries.ts'

/** What a column of such a table holds, other than groups. */
export type CountRole =
  | 'model'
  | 'dataset'
  | 'column'
  | 'group'
  | 'n'
  | 'correct'
  | 'wrong'
  | 'correct5'
  | 'accuracy'
  | 'accuracy5'
  | 'none'

const roleNames: Readonly<Record<CountRole, string>> = {
  model: 'model modelname network net arch architecture classifier method encoder backbone',
  dataset: 'dataset data benchmark testset evaluationset evalset benchmarkname datasetname',
  column: 'groupcolumn groupby groupingcolumn groupedby by attribute grouptype dimension column',
  group: 'group value groupvalue groupname subgroup bucket slice',
  n: 'n num total count counts images image numimages nimages samples numsamples nsamples size support imagecount ntotal numtotal totalimages totalcount totaln numberofimages noofimages noimages nobs trials examples numexamples nexamples numberofsamples testimages photos numphotos photographs',
  correct:
    'correct hits hit ncorrect numcorrect nhits numhits right top1correct correcttop1 top1hits correct1 hits1 correctcount numbercorrect numberofcorrect noofcorrect correctimages successes correctpredictions correctlyclassified totalcorrect truepositives tp nright numright correcttotal correctn hitstotal hitsn correctoftotal',
  wrong:
    'wrong incorrect nwrong numwrong nincorrect numincorrect misses missed misclassified failures numberwrong wrongcount numberofwrong',
  correct5: 'correct5 top5correct correcttop5 top5hits hits5 ncorrect5 numcorrect5',
  accuracy:
    'accuracy acc top1accuracy top1acc accuracytop1 acctop1 acc1 accuracy1 top1 meanaccuracy meanacc recall hitrate score correctrate ofcorrect zeroshotaccuracy zeroshotacc',
  accuracy5: 'top5accuracy top5acc accuracytop5 acctop5 acc5 accuracy5 top5',
  none: 'rank index unnamed0 column0 id no row low high lower upper ci cilow cihigh cilower ciupper lowerci upperci std stderr se sd error errorrate stdev notes note source lat lon latitude longitude gdp population',
}
const roles = new Map(
  (Object.entries(roleNames) as [CountRole, string][]).flatMap(([role, names]) =>
    names.split(' ').map(name => [name, role] as const),
  ),
)

/** Columns of groups that geogap has names for, by what people call them. */
const groupNames: Readonly<Record<string, string>> = {
  country: 'country countryname nation countries location countryofcapture countryid',
  region: 'region continent regions continents worldregion subregion unregion regionname',
  income_group:
    'incomegroup incomelevel incomebucket incomebracket incomequartile incomeclass quartile',
  income: 'income monthlyincome incomeusd',
  label: 'label class classname classlabel object objectclass category topic label1',
  household: 'household householdid',
}
const groupColumnNames = new Map(
  Object.entries(groupNames).flatMap(([column, names]) =>
    names.split(' ').map(name => [name, column] as const),
  ),
)
/** Codes of countries, which stand for the country if no column has its name. */
const codeNames = new Set(
  'iso iso2 iso3 isocode iso3code iso2code isoa2 isoa3 alpha2 alpha3 countrycode countryiso countryiso2 countryiso3 cc code alpha3code alpha2code isoalpha3 isoalpha2'.split(
    ' ',
  ),
)

/** Returns whether a column's name says that its values are in percent. */
export const saysPercent = (name: string): boolean => /%|percent|pct|prozent/i.test(name)

const foldHeader = (name: string): string =>
  foldName(name)
    .replace(/percentage|percent|pct|prozent/g, '')
    .replace(/[^\p{L}\p{N}]/gu, '')

/** Returns what a column holds; undefined for a column of groups and for an unknown name. */
export const roleOf = (name: string): CountRole | undefined => roles.get(foldHeader(name))

/** Returns geogap's name of a column of groups; undefined for an unknown name. */
export const groupColumnOf = (name: string): string | undefined =>
  groupColumnNames.get(foldHeader(name))

/** Returns whether a column holds codes of countries, by its name. */
export const isCodeColumn = (name: string): boolean => codeNames.has(foldHeader(name))

/** Returns whether a column's name says what it holds. */
export const isKnownColumn = (name: string): boolean =>
  roleOf(name) !== undefined || groupColumnOf(name) !== undefined || isCodeColumn(name)

const regionWords =
  /^(north(ern)?|south(ern)?|east(ern)?|west(ern)?|central|latin|sub-?saharan|middle|southeast(ern)?|the|\s|[-_&]|and|africa|asia|europe|americas?|oceania|caribbean|australasia)+$/i
const regionCore = /africa|asia|europe|america|oceania|middle\s*east|caribbean/i
const incomePattern =
  /^(q[1-4]|quartile ?[1-4]|(low|lower|middle|lower[- ]middle|upper[- ]middle|upper|high|poor|rich)([- ]income)?)$/i

/** Returns the column of groups that a name is a value of, for tables with a column for each group; undefined for other names. */
export function groupedBy(name: string): 'country' | 'region' | 'income_group' | undefined {
  const text = name.trim()
  if (regionCore.test(text) && regionWords.test(text.replace(/([a-z])([A-Z])/g, '$1 $2')))
    return countryCode(text) === undefined ? 'region' : 'country'
  if (incomePattern.test(text)) return 'income_group'
  return (text.length > 3 || /^[A-Z]{2,3}$/.test(text)) && countryCode(text) !== undefined
    ? 'country'
    : undefined
}

/** Returns whether a group sums up others. */
export const isTotalName = (group: string): boolean =>
  /^(all|overall|total|totals|sum|mean|average|avg\.?|global|world|world ?wide|micro.*|macro.*|all (\d+ )?(images|groups|countries|regions)|grand total|gesamt|insgesamt|summe|ensemble|totale|totaal|toplam|итого|всего|合计|总计|合計)$/i.test(
    group.trim(),
  )

/** Returns whether a row of a table with a column for each group holds the numbers of images, by its name. */
export const isSizeRow = (name: string): boolean => roles.get(foldHeader(name)) === 'n'

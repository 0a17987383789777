/** Predictions are Parquet: any program reads them. Here DuckDB's own package, without geogap. */
import { DuckDBInstance } from '@duckdb/node-api'

const connection = await (await DuckDBInstance.create()).connect()
const reader = await connection.runAndReadAll(`
  SELECT region, round(avg(correct1::INT), 3) AS accuracy, count(correct1)::INT AS n
  FROM read_parquet('demo/results/predictions/lcnet_050.fitted_400--households--*/*.parquet')
  GROUP BY region ORDER BY accuracy DESC`)
console.table(reader.getRowObjects())

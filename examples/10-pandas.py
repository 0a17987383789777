# The same predictions in pandas (pip install pandas pyarrow).
import glob
import pandas

files = glob.glob('demo/results/predictions/lcnet_050.fitted_400--households--*/*.parquet')
rows = pandas.concat(pandas.read_parquet(file) for file in files)
print(rows.groupby('region').correct1.agg(['mean', 'count']))

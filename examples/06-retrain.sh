# Retrains a last layer on most households of a data set, for two shares of the images, and tests it on the other households.
geogap retrain --model demo/models/lcnet_050.fitted_40.json --train demo/world/households.csv \
  --classes demo/world/classes.txt --fractions 50,100 --seeds 2 --rate 0.01 --out results-retrained
# The head of a seed is a model like any other.
geogap evaluate --model results-retrained/heads/lcnet_050.fitted_40.retrained_1 \
  --dataset demo/world/households.csv --classes demo/world/classes.txt --out results-retrained

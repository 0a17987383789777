# Two machines share a run: each does its half into one folder. What one of them lacks the same command does later.
run="geogap evaluate --model demo/models/lcnet_050.fitted_40.json demo/models/lcnet_050.fitted_400.json
  --dataset demo/world/households.csv --classes demo/world/classes.txt --out results-shared --quiet"
$run --part 1/2 &
$run --part 2/2
wait
geogap status results-shared

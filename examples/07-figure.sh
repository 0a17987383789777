# One figure in the format that the file's ending names, and its Vega-Lite specification with the data.
geogap figure regions demo/results --dataset households -o regions.svg
geogap figure regions demo/results --dataset households -o regions.json

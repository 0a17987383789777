# In CI: fail (exit code 4) when a new model is worse for some region than the old one. Here the limit holds.
geogap gate demo/results --max-disparity 0.9 --by region --junit gate.xml

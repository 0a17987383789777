# Accuracies that others published become rows beside what was measured, marked as imported.
cat > others.csv <<'END'
model,benchmark,accuracy,n
their_model,imagenet-1k,0.761,50000
their_model,imagenet-v2,0.633,10000
END
geogap import others.csv --out results-others
geogap table results-others
geogap table published # what the package itself holds: rates and gaps of the paper's models

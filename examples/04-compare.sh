# Who gained and who lost between two models, image by image.
geogap compare demo/results --models lcnet_050.fitted_40,lcnet_050.fitted_400 --flips flips.csv

# Predictions for {{name}}. First: geogap manifest {{asked}} -o ids.csv
# Then:  geogap import predictions.csv --dataset {{asked}} --model MODEL --out results
# Both with the options that open it (--data, --map, --classes …).
import io
import sys

import pandas as pd
import timm
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

MODEL = sys.argv[1] if len(sys.argv) > 1 else "resnet50.a1_in1k"
{{order}}
# Classes that compete; None: all of them.
CHOICES = {{choices}}


class Images(Dataset):
    def __init__(self, rows, transform):
        self.rows, self.transform = rows, transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row = self.rows.iloc[i]
        with open(row["file"], "rb") as file:
            file.seek(int(row["offset"] or 0))
            data = file.read(int(row["length"] or -1))
        return i, self.transform(Image.open(io.BytesIO(data)).convert("RGB"))


def main():
    rows = pd.read_csv("ids.csv", dtype=str, keep_default_na=False)
    model = timm.create_model(MODEL, pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    top5, probabilities = [None] * len(rows), [None] * len(rows)
    with torch.inference_mode():
        for indices, images in DataLoader(Images(rows, transform), batch_size=32, num_workers=2):
            logits = model(images).float()
            assert logits.shape[1] == CLASSES, f"{logits.shape[1]} outputs, not {CLASSES}"
            if CHOICES is not None:
                mask = torch.full((CLASSES,), float("-inf"))
                mask[CHOICES] = 0
                logits = logits + mask
            best = logits.softmax(1).topk(min(5, CLASSES))
            for i, classes, shares in zip(indices.tolist(), best.indices.tolist(), best.values.tolist()):
                top5[i] = ";".join(map(str, classes))
                probabilities[i] = ";".join(map(str, shares))
    table = pd.DataFrame({"id": rows["id"], "top5": top5, "probabilities": probabilities})
    table.to_csv("predictions.csv", index=False)


if __name__ == "__main__":
    main()

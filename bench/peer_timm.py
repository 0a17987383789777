"""Images a second from JPEG files to predictions on disk with timm: DataLoader workers, channels last.

    python peer_timm.py MODEL IMAGES MODE WORKERS BATCH < paths     MODE: eager or compile (with freezing)

Random weights; the clock starts when the first batch is done, so that start-up and compilation are left out.
"""

import sys
import tempfile
import time

import numpy
import timm
import torch
import torch._inductor.config
from PIL import Image
from torchvision import transforms

name, images, mode, workers, batch = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
paths = sys.stdin.read().split("\n")
paths = [path for path in paths if path]
prepare = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


class Photographs(torch.utils.data.Dataset):
    def __len__(self):
        return images // batch * batch

    def __getitem__(self, i):
        with Image.open(paths[i % len(paths)]) as image:
            return prepare(image.convert("RGB"))


model = timm.create_model(name, pretrained=False).eval().to(memory_format=torch.channels_last)
if mode == "compile":
    torch._inductor.config.freezing = True
    model = torch.compile(model)
loader = torch.utils.data.DataLoader(Photographs(), batch_size=batch, num_workers=workers)
rows, done, start = [], 0, None
with torch.inference_mode():
    model(torch.zeros(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last))
    for inputs in loader:
        best = model(inputs.contiguous(memory_format=torch.channels_last)).softmax(1).topk(5)
        if start is None:
            start = time.perf_counter()
            continue
        rows.append(numpy.concatenate([best.values.numpy(), best.indices.numpy()], 1))
        done += len(inputs)
    with tempfile.TemporaryFile() as file:
        numpy.save(file, numpy.concatenate(rows))
print(done / (time.perf_counter() - start))

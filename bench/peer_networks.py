"""Images a second of a timm network alone, channels last, on random input of its own size.

    python peer_networks.py MODEL MODE BATCH THREADS     MODE: eager, compile, or freezing (compile with its weights packed beforehand)

Random weights. The clock starts after the first batch, so that compilation is left out.
"""

import statistics
import sys
import time

import timm
import torch
import torch._inductor.config

name, mode, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
model = timm.create_model(name, pretrained=False).eval().to(memory_format=torch.channels_last)
size = model.pretrained_cfg["input_size"]
if mode != "eager":
    torch._inductor.config.freezing = mode == "freezing"
    model = torch.compile(model)
times = []
with torch.inference_mode():
    images = torch.rand(batch, *size).contiguous(memory_format=torch.channels_last)
    for _ in range(3):
        model(images)
    end = time.perf_counter() + 4
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        model(images)
        times.append(time.perf_counter() - start)
print(batch / statistics.median(times))

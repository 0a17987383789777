"""Milliseconds of a training step of timm's model in PyTorch: all parameters, Adam, cross-entropy; the better memory format.

    python peer_train.py MODEL BATCH STEPS THREADS
"""

import sys
import time
from statistics import median

import timm
import torch

name = sys.argv[1]
batch, steps, threads = map(int, sys.argv[2:])
torch.set_num_threads(threads)


def step_time(memory_format):
    torch.manual_seed(1)
    model = timm.create_model(name, pretrained=False).train().to(memory_format=memory_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    image = torch.randn(batch, 3, 224, 224).contiguous(memory_format=memory_format)
    labels = torch.arange(batch)
    times = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(image), labels).backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times[2:])


print(min(step_time(torch.contiguous_format), step_time(torch.channels_last)))

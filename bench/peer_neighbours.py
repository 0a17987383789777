"""Seconds of the exact search of the nearest references by cosine similarity, in blocks: torch's matrix product and topk.

    python peer_neighbours.py REFERENCES QUERIES WIDTH K BLOCK THREADS
"""

import sys
import time

import torch

references, queries, width, k, block, threads = map(int, sys.argv[1:])
torch.set_num_threads(threads)
torch.manual_seed(1)
normalize = torch.nn.functional.normalize
known = normalize(torch.randn(references, width))
pool = torch.randn(min(queries, 10_000), width)
start = time.perf_counter()
for at in range(0, queries, block):
    rows = pool[torch.arange(at, min(queries, at + block)) % len(pool)]
    (normalize(rows) @ known.T).topk(k)
print(time.perf_counter() - start)

"""Seconds and the most memory in MB of the exact search of the nearest references by cosine similarity, in blocks.

    python peer_neighbours.py HOW REFERENCES QUERIES WIDTH K BLOCK THREADS      HOW: torch (matrix product and topk) or faiss
"""

import resource
import sys
import time

import numpy

how = sys.argv[1]
references, queries, width, k, block, threads = map(int, sys.argv[2:])
draw = numpy.random.default_rng(1)


def unit(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


known = unit(draw.standard_normal((references, width), numpy.float32))
pool = draw.standard_normal((min(queries, 10_000), width), numpy.float32)

if how == "faiss":
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(width)
    index.add(known)

    def search(rows):
        index.search(unit(rows), k)

else:
    import torch

    torch.set_num_threads(threads)
    columns = torch.from_numpy(known).T
    normalize = torch.nn.functional.normalize

    def search(rows):
        (normalize(torch.from_numpy(rows)) @ columns).topk(k)


start = time.perf_counter()
for at in range(0, queries, block):
    search(pool[numpy.arange(at, min(queries, at + block)) % len(pool)])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

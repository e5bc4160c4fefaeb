"""numpy arrays, a seeded generator and a memory-mapped file. `fields.py STEPS MICROS`; exit status 9, 99 if memory is wrong."""

import os
import sys
import time

import numpy as np

steps, micros = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(20261121)
np.random.seed(11)
field = rng.standard_normal((384, 384))
hist = np.memmap("hist.dat", dtype=np.int64, mode="w+", shape=(4096,))
seen = {}
with open("fields.csv", "w") as csv, open("fields.log", "ab", buffering=0) as log:
    log.truncate(0)
    for step in range(steps):
        row = step % 384
        field[row] = 0.5 * field[row - 1] + 0.25 * rng.standard_normal(384) + 0.01 * np.random.random(384)
        np.add.at(hist, (np.abs(field[row]) * 512).astype(np.int64) % 4096, 1)
        seen[row] = seen.get(row, 0) + 1
        csv.write(f"{step},{field[row].sum().hex()},{int(hist.sum())}\n")
        log.write(b"%d %d\n" % (step, hist[step % 4096]))
        if step % 25 == 0:
            csv.flush()
        if micros and not os.path.exists("fast"):
            time.sleep(micros / 1e6)
np.save("field.npy", field)
hist.flush()
sys.exit(9 if sum(seen.values()) == steps and int(hist.sum()) == 384 * steps else 99)

"""
A job of a program and libraries of its own, which a package upgrade may replace: `python3 mapped.py LOG`.

Writes the lines of `pages.c`, keeps 512 pages and checks all of them at each step; ends with 7 when a file `stop` is in the
working directory, with 99 when memory is wrong.
"""
import os
import sys
import time

MASK = 2**64 - 1
PAGES = 512


def mix(a, b):
    z = (a * 0x9E3779B97F4A7C15 + b * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def page(step):
    return mix(step, 77).to_bytes(8, "little") * 512


log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
kept = {}
step = 0
while True:
    kept[step % PAGES] = page(step)
    for slot, held in kept.items():
        by = step - (step - slot) % PAGES
        if held != page(by):
            print("wrong: page", slot, "at step", step, file=sys.stderr)
            sys.exit(99)
    os.write(log, b"step %06d %016x\n" % (step, mix(step, 1)))
    if os.path.exists("stop"):
        break
    time.sleep(0.5)
    step += 1
print("done")
sys.exit(7)

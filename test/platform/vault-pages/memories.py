"""Two processes with private and shared memory that change step by step, the same way in every run, and one that stands still.

Prints a line per step: its number and a digest of all memory as it then is. Ends with status 7 after the given number of steps.
"""
import hashlib, mmap, os, random, signal, sys, time

STEPS, PAUSE = int(sys.argv[1]), float(sys.argv[2])
PAGE = 4096
own = bytearray(random.Random(1).randbytes(6 << 20))
shared = mmap.mmap(-1, 2 << 20)
shared[: 1 << 20] = random.Random(2).randbytes(1 << 20)
flags = mmap.mmap(-1, PAGE)  # byte 0: step asked for, byte 1: step the child has done


def change(memory, begin, end, step, pages):
    dice = random.Random(step)
    for _ in range(pages):
        at = dice.randrange(begin, end) // PAGE * PAGE + dice.randrange(PAGE)
        memory[at] = (memory[at] + 1) % 256


if os.fork() == 0:
    mine = bytearray(random.Random(3).randbytes(1 << 20))
    while True:
        if flags[0] != flags[1]:
            change(mine, 0, len(mine), flags[0], 3)
            shared[1 << 20 : (1 << 20) + 32] = hashlib.sha256(mine).digest()
            change(shared, 1 << 20, 2 << 20, flags[0], 4)
            flags[1] = flags[0]
        time.sleep(PAUSE / 20)
        if os.getppid() == 1:
            os._exit(0)

idle = os.fork()
if idle == 0:
    while True:
        signal.pause()

for step in range(1, STEPS + 1):
    flags[0] = step % 256
    change(own, 0, len(own), step, 20)
    change(shared, 0, 1 << 20, step, 5)
    while flags[1] != flags[0]:
        time.sleep(PAUSE / 20)
    print(step, hashlib.sha256(own).hexdigest()[:16], hashlib.sha256(shared).hexdigest()[:16], flush=True)
    time.sleep(PAUSE)
os.kill(idle, signal.SIGKILL)
os.waitpid(idle, 0)
os._exit(7)

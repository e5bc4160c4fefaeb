/*
 * Shared by the proof programs. Pacing never touches what a program computes or writes: with a file `fast` in the
 * working directory the pauses are left out, so that a run brought back from any point can be let run to its end.
 */
#ifndef PACE_H
#define PACE_H
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline void pace(long micros)
{
	struct timespec t = { micros / 1000000, micros % 1000000 * 1000 };
	if (micros > 0 && access("fast", F_OK))
		nanosleep(&t, NULL);	/* EINTR after a dump is fine: it is only a pause */
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = a * 0x9e3779b97f4a7c15u + b * 0xbf58476d1ce4e5b9u + 0x94d049bb133111ebu;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A wrong memory is told apart from every other ending by this status. */
#define WRONG 99
#define must(ok, what) do { if (!(ok)) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(98); } } while (0)
#define same(ok, what, step) do { if (!(ok)) { fprintf(stderr, "wrong: %s at step %ld\n", what, (long)(step)); exit(WRONG); } } while (0)
#endif

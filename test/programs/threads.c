/*
 * Four OpenMP threads over shared arrays: an integer diffusion on a ring, so that the sums do not hang on the order of threads.
 * `threads STEPS MICROS`; writes threads.out; exit status 4.
 */
#include "pace.h"
#include <omp.h>

enum { CELLS = 1 << 18, THREADS = 4 };
static uint64_t one[CELLS], two[CELLS];
static long mine;	/* each thread's own count, in its thread-local memory */
#pragma omp threadprivate(mine)

int main(int argc, char **argv)
{
	long steps = argc > 1 ? atol(argv[1]) : 1500, micros = argc > 2 ? atol(argv[2]) : 0;
	uint64_t *from = one, *to = two;
	FILE *out = fopen("threads.out", "w");
	must(out, "threads.out");
	omp_set_dynamic(0);
	omp_set_num_threads(THREADS);
	for (long i = 0; i < CELLS; i++)
		from[i] = mix(i, 0);
	for (long step = 0; step < steps; step++) {
		uint64_t sum = 0;
		long counts = 0;
#pragma omp parallel reduction(+ : sum, counts)
		{
			same(omp_get_num_threads() == THREADS, "number of threads", step);
			same(mine == step, "thread-local memory", step);
			mine++;
			counts += mine;
#pragma omp for
			for (long i = 0; i < CELLS / 8; i++) {
				long at = (i + step * 37) % CELLS;
				to[at] = (from[at] >> 1) + (from[(at + 1) % CELLS] >> 2) + mix(at, step);
				sum += to[at];
			}
		}
		same(counts == THREADS * (step + 1), "thread-local memory", step);
		uint64_t *swap = from;
		from = to;
		to = swap;
		fprintf(out, "%ld %016llx\n", step, (unsigned long long)sum);
		if (step % 20 == 0)
			fflush(out);
		pace(micros);
	}
	must(!fclose(out), "threads.out");
	return 4;
}

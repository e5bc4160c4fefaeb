/*
 * A job of MIB MiB of which it writes PERCENT % in every SECONDS seconds, evenly spread over time and memory: for measuring freezes.
 *
 *   dirty MIB PERCENT SECONDS
 *
 * Without huge pages, so that what is dirty is what was written. A file `ready` in the working directory says that memory is filled. Goes on until it
 * is killed.
 */
#include "pace.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { PAGE = 4096, RUN = 16, TICK = 20000 };

static void write_page(uint64_t *page, uint64_t seed)
{
	for (int w = 0; w < PAGE / 8; w++)
		page[w] = seed + (uint64_t)w * 0x9e3779b97f4a7c15u;
}

int main(int argc, char **argv)
{
	must(argc == 4, "usage");
	long pages = atol(argv[1]) * 256;
	double per_tick = pages * atof(argv[2]) / 100 / (atof(argv[3]) * 1000000 / TICK), owed = 0;
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(memory != MAP_FAILED, "memory");
	for (long n = 0; n < pages; n++)
		write_page((uint64_t *)(memory + n * PAGE), mix(n, 1));
	int ready = open("ready", O_WRONLY | O_CREAT, 0644);
	must(ready >= 0 && !close(ready), "ready");
	struct timespec last, now;
	clock_gettime(CLOCK_MONOTONIC, &last);
	for (uint64_t step = 0;;) {
		usleep(TICK);
		/* What a late tick missed is made up for, but not what a freeze did. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		double ticks = (now.tv_sec - last.tv_sec) * (1e6 / TICK) + (now.tv_nsec - last.tv_nsec) / (1e3 * TICK);
		last = now;
		owed += per_tick * (ticks > 5 ? 5 : ticks);
		for (; owed >= RUN; owed -= RUN, step++) {
			long at = mix(step, 2) % (pages / RUN) * RUN;
			for (int i = 0; i < RUN; i++)
				write_page((uint64_t *)(memory + (at + i) * PAGE), mix(step, 3 + i));
		}
	}
}

/*
 * One process whose memory is a known function of the step, checked by itself, and whose files are written in each of the
 * ways files are written. `single STEPS MICROS [MIB]`, MIB of memory that stays as it is; exit status 7, or 99 when the memory is not what it must be.
 */
#include "pace.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { PAGE = 4096, WORDS = PAGE / 8, HOT = 512, RECORD = 64, RECORDS = 256 };

static uint64_t (*hot)[WORDS], (*still)[WORDS];
static long still_pages = 6 * 256;

static void check(long step)
{
	for (long page = 0; page < HOT; page++) {
		long last = step - (step - page) % HOT;	/* the newest step that wrote this page */
		if (step < page)
			last = -1;
		for (int w = 0; w < WORDS; w++)
			same(hot[page][w] == (last < 0 ? 0 : mix(last, w)), "written memory", step);
	}
	for (long page = 0; page < still_pages; page++)
		for (int w = 0; w < WORDS; w += 64)
			same(still[page][w] == mix(page, ~w), "still memory", step);
}

int main(int argc, char **argv)
{
	long steps = argc > 1 ? atol(argv[1]) : 2000, micros = argc > 2 ? atol(argv[2]) : 0;
	int plain = open("plain.dat", O_WRONLY | O_CREAT | O_TRUNC, 0640);
	int append = open("append.log", O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0600);
	int both = open("both.log", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0644);
	int inplace = open("inplace.dat", O_RDWR | O_CREAT | O_TRUNC, 0644);
	int mapped = open("mapped.dat", O_RDWR | O_CREAT | O_TRUNC, 0644);
	int gone = open("gone.dat", O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t *map, record[RECORD / 8];
	char line[160];
	if (argc > 3)
		still_pages = atol(argv[3]) * 256;

	must(plain >= 0 && append >= 0 && both >= 0 && inplace >= 0 && mapped >= 0 && gone >= 0, "open");
	must(!unlink("gone.dat"), "unlink");
	must(!ftruncate(inplace, RECORD * RECORDS) && !ftruncate(mapped, 64 * PAGE), "ftruncate");
	map = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	must(map != MAP_FAILED && !close(mapped), "mmap");
	hot = aligned_alloc(PAGE, (size_t)HOT * PAGE);
	still = aligned_alloc(PAGE, (size_t)still_pages * PAGE);
	must(hot && still, "memory");
	memset(hot, 0, (size_t)HOT * PAGE);
	for (long page = 0; page < still_pages; page++)
		for (int w = 0; w < WORDS; w++)
			still[page][w] = w % 64 ? (uint64_t)page : mix(page, ~w);

	for (long step = 0; step < steps; step++) {
		for (int w = 0; w < WORDS; w++)
			hot[step % HOT][w] = mix(step, w);
		int n = snprintf(line, sizeof line, "step %06ld %016llx\n", step, (unsigned long long)mix(step, 1));
		must(write(plain, line, n) == n, "plain.dat");
		must(write(append, line, n) == n, "append.log");
		must(write(both, line + 5, n - 5) == n - 5, "both.log");

		/* Each record is read, changed by what it held, and written back: a step done twice is seen. */
		off_t at = mix(step, 2) % RECORDS * RECORD;
		must(pread(inplace, record, RECORD, at) == RECORD, "read inplace.dat");
		for (int w = 0; w < RECORD / 8; w++)
			record[w] = mix(record[w], step);
		must(pwrite(inplace, record, RECORD, at) == RECORD, "inplace.dat");
		uint64_t *cell = map + mix(step, 3) % (64 * WORDS);
		*cell = mix(*cell, step);
		must(pwrite(gone, &step, sizeof step, step % 4096 * sizeof step) == sizeof step, "gone.dat");

		/* Opened, written and closed again: at most dumps nobody holds it open. */
		if (step % 10 == 0) {
			FILE *f = fopen("closed.log", step ? "a" : "w");
			must(f, "closed.log");
			fprintf(f, "%ld %llx\n", step, (unsigned long long)mix(step, 4));
			must(!fclose(f), "closed.log");
		}
		if (step % 50 == 0) {
			printf("at %ld\n", step);
			fflush(stdout);
			check(step);
		}
		pace(micros);
	}
	check(steps - 1);
	for (long step = steps > 4096 ? steps - 4096 : 0, got; step < steps; step++)
		same(pread(gone, &got, sizeof got, step % 4096 * sizeof got) == sizeof got && got == step, "unlinked file", step);
	same(lseek(plain, 0, SEEK_CUR) == steps * 29, "place in plain.dat", steps);
	printf("done\n");
	return 7;
}

/*
 * A job whose whole memory is a known function of its step, every page of it checked by itself at every step.
 *
 *   pages run LOG MICROS [steady]     goes on until a file `stop` is in the working directory, then ends with 7; with a file `exec` there it
 *                            becomes a new `pages run LOG.next MICROS` under the same pid; `steady` leaves out `dropped` and `moved`
 *                            with a link `gate` there that says a number it waits, from that step on, until the link says a greater one or
 *                            `stop` is there, and then looks at all its memory again
 *   pages verify LOG         0 if LOG holds every step's line once, in order, and nothing else
 *
 * What the kinds of memory are for: `hot` is written at each step, `ring` seldom (a lost interval stays lost for hundreds of steps), `still`
 * never, `same` is written with what it holds, `dropped` is given back to the kernel and must read as zeros, `moved` is mapped anew, `shared`
 * is written by both processes, and the child keeps a ring of its own. Ends with 99 and a line on standard error when memory is wrong.
 */
#include "pace.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PAGE = 4096, WORDS = PAGE / 8, HOT = 16, RING = 6144, PER = 8, STILL = 1536, SAME = 64, DROPPED = 128, MOVED = 64, SHARED = 64, OWN = 512 };

typedef uint64_t page[WORDS];

static page *hot, *ring, *still, *same_, *dropped, *moved, *shared, *own;
static int steady;

/* Between two pages that nobody may touch: a new mapping that the kernel merges with an old one makes all of the old one soft-dirty. */
static page *map(long pages, int flags)
{
	page *got = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_ANONYMOUS | flags, -1, 0);
	must(got != MAP_FAILED && !mprotect(got + 1, pages * PAGE, PROT_READ | PROT_WRITE), "memory");
	return got + 1;
}

static void fill(page *at, uint64_t seed)
{
	uint64_t first = mix(seed, 77);
	for (int w = 0; w < WORDS; w++)
		(*at)[w] = first + (uint64_t)w * 0x9e3779b97f4a7c15u;
}

static void check(page *at, uint64_t seed, const char *what, long number, long step)
{
	uint64_t first = mix(seed, 77);
	for (int w = 0; w < WORDS; w++)
		if ((*at)[w] != first + (uint64_t)w * 0x9e3779b97f4a7c15u) {
			fprintf(stderr, "wrong: page %ld of %s at step %ld\n", number, what, step);
			exit(WRONG);
		}
}

/* The newest step that wrote slot `n` of a ring of `size`, `per` slots a step; -1 if none has. */
static long writer(long n, long size, long per, long step)
{
	long turns = size / per, slot = n / per;
	return step < slot ? -1 : step - (step - slot) % turns;
}

static void write_step(long step)
{
	for (int i = 0; i < HOT; i++)
		fill(&hot[i], step * 1000 + i);
	for (int i = 0; i < PER; i++) {
		long n = step % (RING / PER) * PER + i;
		fill(&ring[n], step * 1000 + n);
	}
	for (int i = 0; i < SAME; i++)
		fill(&same_[i], i + 5);
	if (!steady && step % 16 == 3)
		for (int i = 0; i < DROPPED; i++)
			fill(&dropped[i], step + i);
	if (!steady && step % 16 == 11)
		must(!madvise(dropped, DROPPED * PAGE, MADV_DONTNEED), "madvise");
	if (!steady && step % 32 == 7) {
		must(!munmap(moved - 1, (MOVED + 2) * PAGE), "munmap");
		moved = map(MOVED, MAP_PRIVATE);
		for (int i = 0; i < MOVED; i++)
			fill(&moved[i], step + i);
	}
	for (int i = 0; i < 2; i++) {
		long n = step % (SHARED / 4) * 2 + i;
		fill(&shared[n], step * 3 + n);
	}
}

static void check_all(long step)
{
	for (int i = 0; i < HOT; i++)
		check(&hot[i], step * 1000 + i, "hot", i, step);
	for (long n = 0; n < RING; n++) {
		long by = writer(n, RING, PER, step);
		check(&ring[n], by < 0 ? (uint64_t)n : (uint64_t)(by * 1000 + n), "ring", n, step);
	}
	for (int i = 0; i < STILL; i++)
		check(&still[i], i + 9, "still", i, step);
	for (int i = 0; i < SAME; i++)
		check(&same_[i], i + 5, "same", i, step);
	long full = step < 3 ? -1 : step - (step - 3) % 16, empty = step < 11 ? -1 : step - (step - 11) % 16;
	for (int i = 0; !steady && i < DROPPED; i++) {
		if (full > empty)
			check(&dropped[i], full + i, "dropped", i, step);
		else if (i % 2)	/* the others are not even looked at */
			same(dropped[i][0] == 0 && dropped[i][WORDS - 1] == 0, "dropped", step);
	}
	for (int i = 0; !steady && step >= 7 && i < MOVED; i++)
		check(&moved[i], step - (step - 7) % 32 + i, "moved", i, step);
	for (long n = 0; n < SHARED / 2; n++) {
		long by = writer(n, SHARED / 2, 2, step);
		if (by >= 0)
			check(&shared[n], by * 3 + n, "shared", n, step);
	}
}

/* Its own step for each byte from the parent: four pages of its ring, one of the shared ones. */
static void child(int in, int out)
{
	char byte;
	own = map(OWN, MAP_PRIVATE);
	for (long n = 0; n < OWN; n++)
		fill(&own[n], n);
	for (long step = 0; read(in, &byte, 1) == 1; step++) {
		for (int i = 0; i < 4; i++) {
			long n = step % (OWN / 4) * 4 + i;
			fill(&own[n], step * 7 + n);
		}
		fill(&shared[SHARED / 2 + step % (SHARED / 2)], step);
		for (long n = 0; n < OWN; n++) {
			long by = writer(n, OWN, 4, step);
			check(&own[n], by < 0 ? (uint64_t)n : (uint64_t)(by * 7 + n), "the child's ring", n, step);
		}
		for (long n = 0; n < SHARED / 2; n++) {
			long by = writer(n, SHARED / 2, 1, step);
			if (by >= 0)
				check(&shared[SHARED / 2 + n], by, "the child's shared", n, step);
		}
		must(write(out, &byte, 1) == 1, "pipe");
	}
	exit(0);
}

/* A link, not a file: at no moment is there a descriptor more, which a dump would hold and a restore would look for. */
static void wait_at_gate(long step)
{
	char number[32];
	for (int waited = 0;; waited = 1) {
		ssize_t length = readlink("gate", number, sizeof number - 1);
		if (length > 0)
			number[length] = 0;
		if (length <= 0 || atol(number) > step || !access("stop", F_OK)) {
			if (waited)
				check_all(step);
			return;
		}
		pace(20000);
	}
}

static int line(char *text, long step)
{
	return sprintf(text, "step %06ld %016llx\n", step, (unsigned long long)mix(step, 1));
}

static int verify(const char *log)
{
	char expected[64], found[64];
	FILE *f = fopen(log, "r");
	must(f, log);
	for (long step = 0;; step++) {
		size_t length = line(expected, step), got = fread(found, 1, length, f);
		if (got == 0) {
			printf("%ld\n", step);
			return step ? 0 : 1;
		}
		if (got != length || memcmp(found, expected, length)) {
			fprintf(stderr, "wrong: line %ld of %s\n", step, log);
			return WRONG;
		}
	}
}

int main(int argc, char **argv)
{
	int to[2], from[2], status, log;
	char text[512], byte = 'x';

	must(argc >= 3, "usage");
	if (!strcmp(argv[1], "verify"))
		return verify(argv[2]);
	steady = argc > 4;
	log = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	must(log >= 0, argv[2]);
	shared = map(SHARED, MAP_SHARED);
	must(!pipe(to) && !pipe(from), "pipe");
	pid_t kid = fork();
	if (!kid) {
		close(to[1]);
		close(from[0]);
		close(log);
		child(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	hot = map(HOT, MAP_PRIVATE);
	ring = map(RING, MAP_PRIVATE);
	still = map(STILL, MAP_PRIVATE);
	same_ = map(SAME, MAP_PRIVATE);
	dropped = map(DROPPED, MAP_PRIVATE);
	moved = map(MOVED, MAP_PRIVATE);
	for (long n = 0; n < RING; n++)
		fill(&ring[n], n);
	for (int i = 0; i < STILL; i++)
		fill(&still[i], i + 9);
	for (long step = 0;; step++) {
		write_step(step);
		must(write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1, "the child");
		check_all(step);
		int n = line(text, step);
		must(write(log, text, n) == n, "log");
		if (!access("stop", F_OK))
			break;
		if (!access("exec", F_OK)) {
			unlink("exec");
			close(to[1]);
			waitpid(kid, &status, 0);
			close(from[0]);
			close(log);
			sprintf(text, "%s.next", argv[2]);
			execl("/proc/self/exe", "pages", "run", text, argv[3], NULL);
			must(0, "exec");
		}
		pace(argc > 3 ? atol(argv[3]) : 0);
		wait_at_gate(step);
	}
	close(to[1]);
	must(waitpid(kid, &status, 0) == kid, "wait");
	same(WIFEXITED(status) && !WEXITSTATUS(status), "the child's memory", 0L);
	printf("done\n");
	return 7;
}

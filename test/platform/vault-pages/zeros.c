/*
 * Three processes (parent, child, grandchild) whose pages become zeros and something else again, in every kind of private and shared memory.
 * Each looks at every page at every step, and knows what must be there. `zeros FILE STEPS PAUSE_MS SHARED_MIB`: prints a line per step of the
 * parent, and for each page that is wrong; ends with 7 if all was right, with 9 if not. FILE is made anew, and mapped.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / 8)
#define PAGES 36

enum { ANON, HEAP, FILE_MAP, ZERO_MAP, MEMFD_PRIVATE, LOCKED, READ_ONLY, NO_ACCESS, PRIVATE_KINDS, SHARED = PRIVATE_KINDS, MEMFD_SHARED, KINDS };
static const char *names[] = {"anon", "heap", "file", "dev-zero", "memfd-private", "locked", "read-only", "no-access", "shared", "memfd-shared"};

static uint64_t *region[KINDS];
static uint64_t *big;
static long bigPages;
static int me; /* 0 parent, 1 child, 2 grandchild */
static int isBad;

static uint64_t mix(uint64_t a) {
	a ^= a >> 31; a *= 0x9E3779B97F4A7C15ull; a ^= a >> 29; a *= 0xBF58476D1CE4E5B9ull; a ^= a >> 32;
	return a | 1;
}

/* What page `i` of a region says at a step; 0: it is full of zeros. */
static uint64_t wanted(int kind, int i, long step) {
	uint64_t first = mix(kind * 1000 + i + 1);
	int who = kind >= PRIVATE_KINDS || step == 0 ? 0 : me;
	switch (i % 6) {
	case 0: return first;                              /* never touched after the fork */
	case 1: return step > 0 && who > 0 ? 0 : first;    /* zeros in the children only */
	case 2: return step > 0 && who == 0 ? 0 : first;   /* zeros in the parent only */
	case 3: return step % 2 ? 0 : mix(first + step + who); /* comes and goes */
	case 4: return 0;                                  /* written, and zeros, from the first */
	default: return mix(first + step * 3 + who);       /* another at each step */
	}
}

static int isFixed(int kind, int i, long step) { return i % 6 == 0 || i % 6 == 4 || (i % 6 < 3 && step > 1 && kind < PRIVATE_KINDS); }

static void fill(uint64_t *page, uint64_t value) {
	for (int w = 0; w < WORDS; w++) page[w] = value ? value + w : 0;
}

static void check(const char *what, uint64_t *page, uint64_t value, int i, long step) {
	for (int w = 0; w < WORDS; w++) {
		if (page[w] == (value ? value + w : 0)) continue;
		printf("BAD process %d %s page %d step %ld: %llx, not %llx\n", me, what, i, step, (unsigned long long)page[w], (unsigned long long)value);
		isBad = 1;
		return;
	}
}

static void open_all(int prot) {
	mprotect(region[READ_ONLY], PAGES * PAGE, prot ? PROT_READ | PROT_WRITE : PROT_READ);
	mprotect(region[NO_ACCESS], PAGES * PAGE, prot ? PROT_READ | PROT_WRITE : PROT_NONE);
}

static void check_all(long step) {
	mprotect(region[NO_ACCESS], PAGES * PAGE, PROT_READ | PROT_WRITE);
	/* The shared ones change under the children. */
	for (int kind = 0; kind < (me == 0 ? KINDS : PRIVATE_KINDS); kind++)
		for (int i = 0; i < PAGES; i++) check(names[kind], region[kind] + i * WORDS, wanted(kind, i, step), i, step);
	if (me == 0)
		for (long i = 0; i < bigPages; i++) {
			long turn = i % 4001; /* page i changes once, at this step */
			check("big", big + i * WORDS, mix(i * 7 + (turn <= step ? turn : 0)), i, step);
		}
}

static void write_all(long step) {
	open_all(1);
	for (int kind = 0; kind < (me == 0 ? KINDS : PRIVATE_KINDS); kind++)
		for (int i = 0; i < PAGES; i++)
			if (!isFixed(kind, i, step)) fill(region[kind] + i * WORDS, wanted(kind, i, step));
	if (me == 0)
		for (long i = step % 4001; i < bigPages; i += 4001) fill(big + i * WORDS, mix(i * 7 + step));
	open_all(0);
}

static void *map(int flags, int fd) {
	void *at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (at == MAP_FAILED) { perror("mmap"); exit(3); }
	return at;
}

static int filled(int fd, int kind) {
	uint64_t page[WORDS];
	for (int i = 0; i < PAGES; i++) {
		/* Never zeros: what shines through from behind must be seen. */
		fill(page, i % 6 == 4 ? mix(i) : mix(kind * 1000 + i + 1));
		if (write(fd, page, PAGE) != PAGE) exit(3);
	}
	return fd;
}

int main(int argc, char **argv) {
	if (argc != 5) return 2;
	long steps = atol(argv[2]), pause = atol(argv[3]);
	bigPages = atol(argv[4]) * 256;
	setvbuf(stdout, NULL, _IOLBF, 0);
	int file = filled(open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600), FILE_MAP);
	for (int kind = 0; kind < KINDS; kind++) {
		if (kind == FILE_MAP) region[kind] = map(MAP_PRIVATE, file);
		else if (kind == ZERO_MAP) region[kind] = map(MAP_PRIVATE, open("/dev/zero", O_RDWR));
		else if (kind == MEMFD_PRIVATE) region[kind] = map(MAP_PRIVATE, filled(memfd_create("a", 0), kind));
		else if (kind == MEMFD_SHARED) region[kind] = map(MAP_SHARED, filled(memfd_create("b", 0), kind));
		else if (kind == SHARED) region[kind] = map(MAP_SHARED | MAP_ANONYMOUS, -1);
		else if (kind == HEAP) {
			char *at = sbrk((PAGES + 1) * PAGE);
			region[kind] = (uint64_t *)(((uintptr_t)at + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
		} else region[kind] = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
		if (kind == LOCKED) mlock(region[kind], PAGES * PAGE);
		for (int i = 0; i < PAGES; i++) {
			int isThere = i % 6 == 0 && (kind == FILE_MAP || kind == MEMFD_PRIVATE);
			if (!isThere) fill(region[kind] + i * WORDS, wanted(kind, i, 0));
		}
	}
	if (bigPages > 0) {
		big = mmap(NULL, bigPages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (big == MAP_FAILED) return 3;
		for (long i = 0; i < bigPages; i++) fill(big + i * WORDS, mix(i * 7));
	}
	open_all(0);

	pid_t child = fork();
	if (child == 0) {
		me = 1;
		if ((child = fork()) == 0) {
			me = 2;
			child = -1;
		}
	}
	for (long step = 1; step <= steps && !isBad; step++) {
		check_all(step - 1);
		write_all(step);
		if (me == 0) printf("%ld\n", step);
		usleep(pause * 1000);
		check_all(step);
		open_all(0);
	}
	int status = 0;
	if (child > 0 && (waitpid(child, &status, 0) != child || status != 7 << 8)) isBad = 1;
	_exit(isBad ? 9 : 7);
}

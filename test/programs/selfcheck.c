/*
 * A job whose whole memory is a known function of its step, and that looks at every page of it at every step.
 *
 *   selfcheck LOG MICROS one|forks|shared|exec NAME
 *
 * Goes on until a file `stop` is in the working directory, then ends with 7; with 99 and a line on standard error when a page is not what
 * it must be. A page is written in its own rhythm, between at every step and never: fresh, or with one of three values that come back, or by
 * turns written and given back to the kernel, when it must read as zeros.
 *
 * LOG is only appended to: `step N HASH` when step N is done and all is right, and, when the process sees by its own start time that it has
 * been brought back, `back N, P pages right in C of D processes brought back`, before it changes anything. `N` is the last step done.
 *
 *   one     one process
 *   forks   three children in rhythms of their own, each with memory of its own and the parent's as it was at its birth; each born, where
 *           that can be had, with the pid of the one before it
 *   shared  a child that writes half of an anonymous shared mapping, of a memfd and of /dev/shm/NAME; it is born anew now and then, with
 *           another anonymous mapping
 *   exec    parent and child become this program again now and then, at the same addresses, with the step on the command line
 *
 * Longer than 250 lines because the four parts are one program: they share the pages, the look at them and the steps.
 */
#include "pace.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { PAGE = 4096, WORDS = PAGE / 8, KIDS = 3, RHYTHMS = 8, ASK_FD = 20, TELL_FD = 21 };

static const long rhythms[RHYTHMS] = { 1, 3, 7, 16, 41, 97, 211, 0 };

typedef uint64_t page[WORDS];

struct region {
	const char *what;
	page *at;
	long pages;
	uint64_t salt;
};

struct kid {
	pid_t pid, before;
	int ask, tell;
};

static struct region own = { .what = "own" }, moved = { .what = "moved" }, still_born = { .what = "the parent's, as it was at the birth" };
static struct region shared[4] = { { .what = "anonymous shared" }, { .what = "memfd" }, { .what = "/dev/shm" }, { .what = "young shared" } };
static struct kid kids[KIDS];
static const char *mode, *name, *log_file, *micros_word;
static int log_fd, memfd;
static uint64_t born;	/* the start time of this process, in ticks since the machine's boot: another one after a restore */

static int is(const char *word) { return !strcmp(mode, word); }

static uint64_t start_time(void)
{
	char text[1024], *at;
	unsigned long long ticks = 0;
	int fd = open("/proc/self/stat", O_RDONLY);
	long n = read(fd, text, sizeof text - 1);
	must(fd >= 0 && n > 0 && !close(fd), "/proc/self/stat");
	text[n] = 0;
	at = strrchr(text, ')') + 2;
	for (int field = 3; field < 22; field++)
		at = strchr(at, ' ') + 1;
	must(sscanf(at, "%llu", &ticks) == 1, "start time");
	return ticks;
}

/* The newest step up to this one that touched page `n`; 0: none has, it is as it was made. */
static long touched(const struct region *r, long n, long step)
{
	long every = rhythms[n % RHYTHMS], first;
	if (!every)
		return 0;
	first = 1 + (long)(mix(n, r->salt) % every);
	return step < first ? 0 : step - (step - first) % every;
}

static int given_back(long n, long last)
{
	return last && n / RHYTHMS % 4 == 3 && last / rhythms[n % RHYTHMS] % 2;
}

static uint64_t first_word(const struct region *r, long n, long last)
{
	long turn = last ? last / rhythms[n % RHYTHMS] : 0;
	return mix(mix(n, n / RHYTHMS % 4 == 0 ? turn % 3 : last), r->salt);
}

static void put(struct region *r, long n, long last)
{
	uint64_t first = first_word(r, n, last);
	for (int w = 0; w < WORDS; w++)
		r->at[n][w] = first + (uint64_t)w * 0x9e3779b97f4a7c15u;
}

/* Makes the region as it is after `step`; it must be untouched. */
static void build(struct region *r, long step)
{
	for (long n = 0; n < r->pages; n++)
		if (!given_back(n, touched(r, n, step)))
			put(r, n, touched(r, n, step));
}

/* `part` of `parts`: the pages that this process writes. */
static void write_part(struct region *r, long step, long part, long parts, int give_back)
{
	for (long n = part; n < r->pages; n += parts) {
		if (touched(r, n, step) != step)
			continue;
		if (given_back(n, step))
			must(!madvise(&r->at[n], PAGE, give_back), "madvise");
		else
			put(r, n, step);
	}
}

static long check(const struct region *r, long step)
{
	long looked_at = 0;
	for (long n = 0; n < r->pages; n++) {
		long last = touched(r, n, step);
		int empty = given_back(n, last), right = 1;
		/* Looking at an empty page of shared memory makes it a page: half of them are let alone. */
		if (empty && n / 64 % 2)
			continue;
		uint64_t first = first_word(r, n, last);
		for (int w = 0; w < WORDS; w++)
			right &= r->at[n][w] == (empty ? 0 : first + (uint64_t)w * 0x9e3779b97f4a7c15u);
		if (!right) {
			fprintf(stderr, "wrong: page %ld of %s at step %ld in process %d\n", n, r->what, step, getpid());
			exit(WRONG);
		}
		looked_at++;
	}
	return looked_at;
}

static void map(struct region *r, long pages, uint64_t salt, int flags, int fd)
{
	r->pages = pages;
	r->salt = salt;
	r->at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	must(r->at != MAP_FAILED, "mmap");
}

/* Mapped anew every 32 steps, each time in another size; what is in it hangs on the step alone. */
static void move(long step)
{
	if (moved.at)
		must(!munmap(moved.at, moved.pages * PAGE), "munmap");
	map(&moved, 24 + step / 32 % 5 * 8, 5, MAP_PRIVATE, -1);
	build(&moved, step);
}

static void say(const char *text)
{
	long length = strlen(text);
	must(write(log_fd, text, length) == length, log_file);
}

static long check_shared(long step)
{
	long pages = 0;
	for (int i = 0; i < 4; i++)
		pages += check(&shared[i], step);
	return pages;
}

/* One step for each number that comes; for its negative nothing but a look. Tells how many pages it found right, negative if brought back. */
static void live(long birth, int ask, int tell)
{
	long step, right;
	while (read(ask, &step, sizeof step) == sizeof step) {
		int look = step <= 0, back = 0;
		if (look) {
			step = -step;
			back = born != start_time();
			born = start_time();
		} else {
			write_part(&own, step, 0, 1, MADV_DONTNEED);
			for (int i = 0; i < 4; i++)
				write_part(&shared[i], step, 1, 2, MADV_REMOVE);
		}
		right = check(&own, step) + check(&still_born, birth) + check_shared(step);
		if (!look && is("exec") && step % 45 == 20) {
			char text[4][32];
			sprintf(text[0], "%ld", step);
			sprintf(text[1], "%ld", birth);
			sprintf(text[2], "%ld", right);
			sprintf(text[3], "%llu", (unsigned long long)born);
			must(dup2(ask, ASK_FD) == ASK_FD && dup2(tell, TELL_FD) == TELL_FD, "dup2");
			execl("/proc/self/exe", "selfcheck", log_file, micros_word, "exec", name, text[0], text[1], text[2], text[3], NULL);
			must(0, "exec");
		}
		right = back ? -right : right;
		must(write(tell, &right, sizeof right) == sizeof right, "pipe");
	}
	exit(0);
}

/* A child that died of wrong memory has said so; its status is the program's. */
static void bury(struct kid *kid)
{
	int status;
	close(kid->ask);
	close(kid->tell);
	must(waitpid(kid->pid, &status, 0) == kid->pid, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG)
		exit(WRONG);
	same(WIFEXITED(status) && !WEXITSTATUS(status), "a child's ending", 0L);
	kid->before = kid->pid;
	kid->pid = 0;
}

static long answer(struct kid *kid)
{
	long right = 0;
	if (read(kid->tell, &right, sizeof right) != sizeof right) {
		bury(kid);
		same(0, "a child's answer", 0L);
	}
	return right;
}

/* The last step done is `step`. */
static void look_back(long step)
{
	char text[200];
	if (born == start_time())
		return;
	long right = check(&own, step) + check(&moved, step) + check_shared(step), processes = 1, back = 1, ask = -step;
	for (struct kid *kid = kids; kid < kids + KIDS; kid++) {
		if (!kid->pid)
			continue;
		must(write(kid->ask, &ask, sizeof ask) == sizeof ask, "pipe");
		long got = answer(kid);
		right += got < 0 ? -got : got;
		back += got < 0;
		processes++;
	}
	sprintf(text, "back %06ld, %ld pages right in %ld of %ld processes brought back\n", step, right, back, processes);
	say(text);
	born = start_time();
	/* CRIU 4.2.1 fails the restore ("Unable to detach N: No such process") if a process ends while it lets go of the tree. */
	nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
}

/* The same pid again is a wish: the kernel gives the next free one. */
static void wish_pid(pid_t pid)
{
	char text[32];
	int fd = pid ? open("/proc/sys/kernel/ns_last_pid", O_WRONLY) : -1;
	if (fd < 0)
		return;
	long n = sprintf(text, "%d", pid - 1);
	if (write(fd, text, n) != n)
		errno = 0;
	close(fd);
}

static void beget(int slot, long step)
{
	int to[2], from[2];
	char text[80];
	struct kid *kid = &kids[slot];
	if (is("shared")) {
		if (shared[3].at)
			must(!munmap(shared[3].at, shared[3].pages * PAGE), "munmap");
		map(&shared[3], 96, mix(step, 9), MAP_SHARED, -1);
		build(&shared[3], step);
	}
	must(!pipe(to) && !pipe(from), "pipe");
	look_back(step);
	wish_pid(kid->before);
	kid->pid = fork();
	must(kid->pid >= 0, "fork");
	if (!kid->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		close(log_fd);
		for (struct kid *other = kids; other < kids + KIDS; other++)
			if (other != kid && other->pid)
				close(other->ask), close(other->tell);
		born = start_time();
		still_born.at = own.at;
		still_born.pages = is("forks") ? own.pages : 0;
		still_born.salt = own.salt;
		map(&own, 96 + 32 * slot, mix(is("forks") ? step : 3, slot), MAP_PRIVATE, -1);
		build(&own, step);
		live(step, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	kid->ask = to[1];
	kid->tell = from[0];
	sprintf(text, "born %d after %06ld\n", kid->pid, step);
	say(text);
}

/* Who is born and who dies before `step`; then the root's own exec. */
static void change_lives(long step)
{
	static const long lives[KIDS] = { 17, 90, 400 };
	char text[64], ticks[32];
	if (is("forks"))
		for (int slot = 0; slot < KIDS; slot++) {
			if (kids[slot].pid && step % lives[slot] == lives[slot] - 5)
				bury(&kids[slot]);
			if (!kids[slot].pid && step % lives[slot] == 2)
				beget(slot, step - 1);
		}
	if (is("shared") && step % 60 == 0)
		bury(&kids[0]);
	if (is("exec") && kids[0].pid && step % 75 == 0) {
		look_back(step - 1);
		bury(&kids[0]);
		sprintf(text, "exec after %06ld\n", step - 1);
		say(text);
		close(log_fd);
		sprintf(text, "%ld", step - 1);
		sprintf(ticks, "%llu", (unsigned long long)born);
		execl("/proc/self/exe", "selfcheck", log_file, micros_word, "exec", name, text, ticks, NULL);
		must(0, "exec");
	}
	if ((is("shared") || is("exec")) && !kids[0].pid)
		beget(0, step - 1);
}

static void map_shared(long step)
{
	char path[300];
	snprintf(path, sizeof path, "/dev/shm/%s", name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	memfd = memfd_create("selfcheck", 0);
	must(fd >= 0 && memfd >= 0 && !ftruncate(fd, 64 * PAGE) && !ftruncate(memfd, 160 * PAGE), "shared memory");
	map(&shared[0], 256, 11, MAP_SHARED, -1);
	map(&shared[1], 160, 12, MAP_SHARED, memfd);
	map(&shared[2], 64, 13, MAP_SHARED, fd);
	for (int i = 0; i < 3; i++)
		build(&shared[i], step);
}

int main(int argc, char **argv)
{
	char text[80];
	must(argc >= 5, "usage");
	log_file = argv[1];
	micros_word = argv[2];
	mode = argv[3];
	name = argv[4];
	long step = argc > 5 ? atol(argv[5]) : 0;
	/* Brought back in the middle of an exec, it must see that too. */
	born = argc == 7 ? strtoull(argv[6], NULL, 10) : start_time();
	if (is("exec"))
		must(personality(ADDR_NO_RANDOMIZE) >= 0, "personality");
	if (argc > 8) {
		/* The child, as another program: its memory as it was before the exec. */
		long right = atol(argv[7]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		born = strtoull(argv[8], NULL, 10);
		map(&own, 96, mix(3, 0), MAP_PRIVATE, -1);
		build(&own, step);
		must(write(TELL_FD, &right, sizeof right) == sizeof right, "pipe");
		live(atol(argv[6]), ASK_FD, TELL_FD);
	}
	log_fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND | (step ? 0 : O_TRUNC), 0644);
	must(log_fd >= 0, log_file);
	map(&own, is("one") ? 2048 : is("forks") ? 384 : 1024, 1, MAP_PRIVATE, -1);
	build(&own, step);
	move(step);
	if (is("shared"))
		map_shared(step);
	for (;;) {
		look_back(step);
		step++;
		change_lives(step);
		if (step % 32 == 0)
			move(step);
		else
			write_part(&moved, step, 0, 1, MADV_DONTNEED);
		write_part(&own, step, 0, 1, MADV_DONTNEED);
		for (int i = 0; i < 4; i++)
			write_part(&shared[i], step, 0, 2, MADV_REMOVE);
		for (struct kid *kid = kids; kid < kids + KIDS; kid++)
			if (kid->pid)
				must(write(kid->ask, &step, sizeof step) == sizeof step, "pipe");
		for (struct kid *kid = kids; kid < kids + KIDS; kid++)
			if (kid->pid)
				answer(kid);
		check(&own, step);
		check(&moved, step);
		check_shared(step);
		sprintf(text, "step %06ld %016llx\n", step, (unsigned long long)mix(step, 1));
		say(text);
		if (!access("stop", F_OK))
			break;
		pace(atol(micros_word));
	}
	for (struct kid *kid = kids; kid < kids + KIDS; kid++)
		if (kid->pid)
			bury(kid);
	unlink(is("shared") ? (snprintf(text, sizeof text, "/dev/shm/%s", name), text) : "");
	return 7;
}

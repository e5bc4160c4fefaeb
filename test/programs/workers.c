/*
 * A parent and three workers over shared memory: an anonymous mapping (with process-shared semaphores in it) and an object of
 * shm_open. `workers STEPS MICROS NAME`; NAME is the object's, without the slash. Writes workers.out; exit status 3.
 */
#include "pace.h"
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { WORKERS = 3, CELLS = 1 << 16, SLICE = 1 << 13 };

struct board {
	sem_t go[WORKERS], done;
	long step;
	uint64_t cells[WORKERS][CELLS];
};

static int wait_for(sem_t *sem)
{
	int got;
	while ((got = sem_wait(sem)) && errno == EINTR)
		;
	return got;
}

static void work(struct board *board, uint64_t *object, int self)
{
	for (long own = 0;; own++) {
		must(!wait_for(&board->go[self]), "sem_wait");
		if (board->step < 0)
			_exit(10 + self);
		same(board->step == own, "step in shared memory", own);
		for (int i = 0; i < SLICE; i++) {
			long at = (own * 13 + i) % CELLS;
			board->cells[self][at] = mix(board->cells[self][at] ^ object[at], own + self);
		}
		must(!sem_post(&board->done), "sem_post");
	}
}

int main(int argc, char **argv)
{
	long steps = argc > 1 ? atol(argv[1]) : 2000, micros = argc > 2 ? atol(argv[2]) : 0;
	char name[200];
	pid_t pids[WORKERS];
	snprintf(name, sizeof name, "/%s", argc > 3 ? argv[3] : "holdfast-workers");
	struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = shm_open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(board != MAP_FAILED && fd >= 0 && !ftruncate(fd, CELLS * 8), "shared memory");
	uint64_t *object = mmap(NULL, CELLS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(object != MAP_FAILED && !close(fd), "shared memory");
	FILE *out = fopen("workers.out", "w");
	must(out, "workers.out");
	must(!sem_init(&board->done, 1, 0), "sem_init");
	for (int i = 0; i < WORKERS; i++) {
		must(!sem_init(&board->go[i], 1, 0), "sem_init");
		must((pids[i] = fork()) >= 0, "fork");
		if (!pids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);	/* none outlives the parent */
			work(board, object, i);
		}
	}
	for (long step = 0; step < steps; step++) {
		uint64_t sum = 0;
		for (int i = 0; i < 64; i++)
			object[mix(step, i) % CELLS] = mix(i, step);
		board->step = step;
		for (int i = 0; i < WORKERS; i++)
			must(!sem_post(&board->go[i]), "sem_post");
		for (int i = 0; i < WORKERS; i++)
			must(!wait_for(&board->done), "sem_wait");
		for (int w = 0; w < WORKERS; w++)
			for (int i = 0; i < SLICE; i++)
				sum = sum * 31 + board->cells[w][(step * 13 + i) % CELLS];
		fprintf(out, "%ld %016llx\n", step, (unsigned long long)sum);
		fflush(out);
		pace(micros);
	}
	board->step = -1;
	for (int i = 0; i < WORKERS; i++) {
		int status;
		must(!sem_post(&board->go[i]) && waitpid(pids[i], &status, 0) == pids[i], "waitpid");
		same(WIFEXITED(status) && WEXITSTATUS(status) == 10 + i, "a worker's exit status", steps);
	}
	uint64_t sum = 0;
	for (int w = 0; w < WORKERS; w++)
		for (int i = 0; i < CELLS; i++)
			sum = sum * 31 + board->cells[w][i];
	fprintf(out, "all %016llx\n", (unsigned long long)sum);
	must(!fclose(out) && !shm_unlink(name), "end");
	return 3;
}

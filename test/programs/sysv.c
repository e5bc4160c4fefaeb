/*
 * A parent and a child over System V shared memory, semaphores and a message queue. `sysv STEPS MICROS`; writes sysv.out;
 * exit status 6.
 */
#include "pace.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

enum { CELLS = 1 << 15, SLICE = 1 << 12 };

static int sems, queue;

static void change(int which, int by)
{
	struct sembuf op = { which, by, 0 };
	int got;
	while ((got = semop(sems, &op, 1)) && errno == EINTR)
		;
	must(!got, "semop");
}

int main(int argc, char **argv)
{
	long steps = argc > 1 ? atol(argv[1]) : 2000, micros = argc > 2 ? atol(argv[2]) : 0;
	int open_one = shmget(IPC_PRIVATE, CELLS * 8, IPC_CREAT | 0600);
	int marked = shmget(IPC_PRIVATE, CELLS * 8, IPC_CREAT | 0600);
	sems = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
	queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	must(open_one >= 0 && marked >= 0 && sems >= 0 && queue >= 0, "System V objects");
	uint64_t *a = shmat(open_one, NULL, 0), *b = shmat(marked, NULL, 0);
	must(a != (void *)-1 && b != (void *)-1, "shmat");
	FILE *out = fopen("sysv.out", "w");
	must(out, "sysv.out");
	pid_t child = fork();
	must(child >= 0, "fork");
	if (!child) {
		for (long step = 0; step < steps; step++) {
			struct { long type; long step; } word;
			change(0, -1);
			must(msgrcv(queue, &word, sizeof word.step, 1, 0) == sizeof word.step, "msgrcv");
			same(word.step == step, "message", step);
			for (int i = 0; i < SLICE; i++) {
				long at = (step * 7 + i) % CELLS;
				b[at] = mix(a[at] ^ b[at], step);
			}
			change(1, 1);
		}
		_exit(0);
	}
	for (long step = 0; step < steps; step++) {
		struct { long type; long step; } word = { 1, step };
		uint64_t sum = 0;
		a[mix(step, 0) % CELLS] = mix(step, 1);
		must(!msgsnd(queue, &word, sizeof word.step, 0), "msgsnd");
		change(0, 1);
		change(1, -1);
		for (int i = 0; i < SLICE; i++)
			sum = sum * 31 + b[(step * 7 + i) % CELLS];
		fprintf(out, "%ld %016llx\n", step, (unsigned long long)sum);
		fflush(out);
		pace(micros);
	}
	int status;
	must(waitpid(child, &status, 0) == child, "waitpid");
	same(WIFEXITED(status) && !WEXITSTATUS(status), "the child's exit status", steps);
	must(!shmctl(open_one, IPC_RMID, NULL) && !shmctl(marked, IPC_RMID, NULL) && !semctl(sems, 0, IPC_RMID) && !msgctl(queue, IPC_RMID, NULL), "removal");
	must(!fclose(out), "sysv.out");
	return 6;
}

/*
 * holdfast-init: pid 1 of a job's namespaces, and (called as holdfast-hook) CRIU's action script.
 *
 *   holdfast-init -r RUNDIR [-i] [-n LASTPID] [-c DIR] [-o OUT -e ERR] -- COMMAND ...    start a job
 *   holdfast-init -r RUNDIR -p PIDFILE [-n LASTPID] -- criu restore -d -S ...             bring one back
 *   ... -d VIEW ...                                     the same for a drill, where nothing of the machine is touched
 *
 * It makes the namespaces, reaps, passes signals on, and writes how the job ended to RUNDIR/exit
 * ("exited N" or "signaled N") with a sync before the rename: that file is there whole or not at all.
 * It holds nothing of the service open, so it outlives it. The one program here that is not TypeScript,
 * because pid 1 must survive the service and because nothing slower may start inside a freeze.
 *
 * RUNDIR/init and RUNDIR/root hold the pids (as the host sees init; as the namespace sees the job's root).
 * Exit status of the starter: 0 the job runs; 1 set-up failed (reason on stderr); 2 CRIU's restore failed.
 *
 * Longer than 250 lines because it is one static program of one file, which whoever packs or tests it builds with one command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int report = -1;		/* pipe to the starter: empty at EOF means "started" */
static volatile pid_t root;	/* the job's root, as this namespace sees it */
static const char *rundir;

static void fail(int status, const char *what, ...)
{
	char text[512];
	int e = errno, n;
	va_list ap;
	va_start(ap, what);
	n = vsnprintf(text, sizeof text - 64, what, ap);
	va_end(ap);
	n += snprintf(text + n, 64, "%s%s\n", e ? ": " : "", e ? strerror(e) : "");
	text[0] = status == 2 ? 'R' : text[0];
	if (write(report < 0 ? 2 : report, text, n) < 0) { /* nobody is left to tell */ }
	_exit(status);
}

/* Whole or not at all, after a power cut too (sync, rename, sync of the folder). */
static void record(const char *name, const char *fmt, ...)
{
	char tmp[4096], path[4096];
	va_list ap;
	FILE *f;
	int d;
	snprintf(tmp, sizeof tmp, "%s/%s.tmp", rundir, name);
	snprintf(path, sizeof path, "%s/%s", rundir, name);
	/* Not cut before it is written: a block that was reserved is there even when the disk is full. */
	if ((d = open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0 || !(f = fdopen(d, "w")))
		fail(1, "cannot write %s", tmp);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fflush(f) || ftruncate(fileno(f), ftell(f)) || fsync(fileno(f)) || fclose(f) || rename(tmp, path))
		fail(1, "cannot write %s", path);
	if ((d = open(rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
		fsync(d);
		close(d);
	}
}

/* Room for a record that must not fail later: how the job ended would be lost, and it would be brought back. */
static void reserve(const char *name)
{
	char tmp[4096];
	int d;
	snprintf(tmp, sizeof tmp, "%s/%s.tmp", rundir, name);
	if ((d = open(tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0 || (errno = posix_fallocate(d, 0, 64)) == ENOSPC)
		fail(1, "cannot write %s", tmp);
	errno = 0;
	close(d);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(1, "cannot write %s", path);
	close(fd);
}

static void onto(int fd, const char *path, int flags)
{
	int got = open(path, flags, 0640);
	if (got < 0 || dup2(got, fd) < 0)
		fail(1, "cannot open %s", path);
	if (got != fd)
		close(got);
}

/* The job's whole process group: a shell that waits for its child would sit on a signal of its own. */
static void pass_on(int sig)
{
	if (root > 0 && kill(-root, sig) < 0)
		kill(root, sig);
}

static int hook(void)
{
	const char *action = getenv("CRTOOLS_SCRIPT_ACTION"), *path = getenv("HOLDFAST_HOOK"), *last = getenv("HOLDFAST_LAST_PID");
	const char *stop = getenv("HOLDFAST_STOP");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char answer = '1';
	int s;
	/* All tasks exist and none runs yet: new children of the job must not take pids that CRIU itself used. */
	if (action && last && !strcmp(action, "pre-resume"))
		put("/proc/sys/kernel/ns_last_pid", last);
	/* A drill looks at them as they are now; it says when they may run. Whoever ends the init ends this waiting. */
	if (action && stop && !strcmp(action, "pre-resume")) {
		rundir = stop;
		record("stopped", "\n");
		if (chdir(stop))
			return 1;
		while (access("go", F_OK))
			usleep(20000);
		return 0;
	}
	if (!action || !path || strcmp(action, "post-dump"))
		return 0;
	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A dead service closes the socket: the read ends, the hook fails, CRIU thaws the job. */
	if (s < 0 || connect(s, (void *)&a, sizeof a) || write(s, "frozen\n", 7) != 7 || read(s, &answer, 1) != 1)
		return 1;
	return answer == '0' ? 0 : 1;
}

/* The drill's own network: the loopback, and on it the machine's addresses, for sockets that were bound to one. */
static void own_address(int n, const char *text)
{
	struct ifreq r = { 0 };
	struct sockaddr_in *a = (void *)&r.ifr_addr;
	unsigned b[4];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(r.ifr_name, sizeof r.ifr_name, n < 0 ? "lo" : "lo:%d", n);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (s < 0 || (n < 0 && ioctl(s, SIOCSIFFLAGS, &r)))
		fail(1, "cannot make a network");
	if (n >= 0 && sscanf(text, "%u.%u.%u.%u", b, b + 1, b + 2, b + 3) == 4) {
		a->sin_family = AF_INET;
		a->sin_addr.s_addr = htonl(b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]);
		if (ioctl(s, SIOCSIFADDR, &r))
			fail(1, "cannot have the address %s", text);
	}
	close(s);
}

/*
 * A drill's view: VIEW/root becomes the root. Each line of VIEW/mounts is KIND FLAGS PATH (written by host/drill/view.ts):
 * "copies" is an overlay whose writable side is VIEW/upper/LINE; where the kernel refuses one the place is read-only, and
 * VIEW/refused says so. "read-only" and "as-is" are what they say; the others are fresh file systems of that type.
 */
static void enter_view(const char *view)
{
	char line[4400], kind[32], path[4096], at[4104], lower[32], options[128];
	struct sched_param idle = { 0 };
	unsigned long flags;
	FILE *list, *refused;

	put("/proc/self/oom_score_adj", "1000");
	/* Class "idle" of the disk's and of the processor's queue; whoever lacks the right to either goes on without. */
	syscall(SYS_ioprio_set, 1, 0, 3 << 13);
	setpriority(PRIO_PROCESS, 0, 19);
	sched_setscheduler(0, SCHED_IDLE, &idle);
	own_address(-1, "");
	if (chdir(view) || !(list = fopen("mounts", "re")) || !(refused = fopen("refused", "we")))
		fail(1, "cannot read %s/mounts", view);
	for (int n = 0; fgets(line, sizeof line, list); n++) {
		if (sscanf(line, "%31s %lu %4095[^\n]", kind, &flags, path) != 3)
			fail(1, "cannot understand %s", line);
		snprintf(at, sizeof at, "root%s", path);
		if (!strcmp(kind, "address")) {
			own_address(n, path);
			continue;
		}
		if (!strcmp(kind, "copies")) {
			snprintf(lower, sizeof lower, "lower/%d", n);
			snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper/%d,workdir=work/%d", lower, n, n);
			if (!mount(path, lower, NULL, MS_BIND, NULL) && !mount("holdfast-drill", at, "overlay", flags, options))
				continue;
			if (!strcmp(path, "/"))
				fail(1, "the kernel refuses an overlay in %s", view);
			fprintf(refused, "%s\n", path);
		} else if (strcmp(kind, "read-only") && strcmp(kind, "as-is")) {
			if (mount("holdfast-drill", at, kind, flags, strcmp(kind, "devpts") ? NULL : "newinstance,ptmxmode=0666,mode=0620") && errno != ENOENT)
				fail(1, "cannot mount %s", path);
			continue;
		}
		if (mount(path, at, NULL, MS_BIND, NULL)) {
			/* A place that lies hidden below another mount: the job cannot reach it either. */
			if (errno == ENOENT)
				continue;
			fail(1, "cannot show %s", path);
		}
		if (strcmp(kind, "as-is") && mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL))
			fail(1, "cannot protect %s", path);
	}
	if (fclose(refused) || fclose(list))
		fail(1, "cannot write %s/refused", view);
	if (chdir("root") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		fail(1, "cannot enter %s/root", view);
}

int main(int argc, char **argv)
{
	const char *last = "299", *dir = NULL, *out = "/dev/null", *err = "/dev/null", *pidfile = NULL, *view = NULL;
	int opt, flags = CLONE_NEWPID | CLONE_NEWNS, status, ready[2], started[2], go[2];
	const int passed[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT };
	char text[600] = "";
	pid_t child;
	ssize_t n;

	if (strstr(argv[0], "holdfast-hook"))
		return hook();
	while ((opt = getopt(argc, argv, "+r:in:c:o:e:p:d:")) != -1)
		switch (opt) {
		case 'r': rundir = optarg; break;
		case 'i': flags |= CLONE_NEWIPC; break;
		case 'n': last = optarg; break;
		case 'c': dir = optarg; break;
		case 'o': out = optarg; break;
		case 'e': err = optarg; break;
		case 'p': pidfile = optarg; break;
		case 'd': view = optarg; flags |= CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS; break;
		default: return 1;
		}
	errno = 0;
	if (!rundir || optind >= argc)
		fail(1, "usage: holdfast-init -r RUNDIR [options] -- COMMAND ...");
	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC) || unshare(flags))
		fail(1, "cannot make the namespaces");
	/* Slave: mounts made later on the host (a vault, a staging place) must reach the job's view. */
	if (mount("none", "/", NULL, MS_REC | (view ? MS_PRIVATE : MS_SLAVE), NULL))
		fail(1, "cannot make the mounts slave");
	if (view)
		enter_view(view);
	if ((child = fork()) < 0)
		fail(1, "cannot fork");
	if (child) {
		close(ready[1]);
		reserve("exit");
		record("init", "%d\n", child);
		if (write(go[1], "", 1) != 1)
			return 1;
		n = read(ready[0], text, sizeof text - 1);
		if (n <= 0)
			return 0;
		fputs(text + (text[0] == 'R'), stderr);
		return text[0] == 'R' ? 2 : 1;
	}

	report = ready[1];
	close(ready[0]);
	close(go[1]);
	/* Not before its pid is on the disk: whoever finds RUNDIR after a crash can end what was begun. */
	if (read(go[0], text, 1) != 1)
		return 1;
	setsid();
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		fail(1, "cannot mount /proc");
	put("/proc/sys/kernel/ns_last_pid", last);
	for (unsigned i = 0; i < sizeof passed / sizeof *passed; i++)
		signal(passed[i], pass_on);
	if (pipe2(started, O_CLOEXEC) || (child = fork()) < 0)
		fail(1, "cannot fork");
	if (!child) {
		report = started[1];
		setsid();
		for (unsigned i = 0; i < sizeof passed / sizeof *passed; i++)
			signal(passed[i], SIG_DFL);
		onto(0, "/dev/null", O_RDONLY);
		onto(1, out, O_WRONLY | O_APPEND | O_CREAT);
		onto(2, err, O_WRONLY | O_APPEND | O_CREAT);
		close_range(3, started[1] - 1, 0);
		close_range(started[1] + 1, ~0U, 0);
		if (dir && chdir(dir))
			fail(1, "cannot change to %s", dir);
		execvp(argv[optind], argv + optind);
		fail(1, "cannot run %s", argv[optind]);
	}
	close(started[1]);
	if ((n = read(started[0], text, sizeof text - 1)) > 0) {
		errno = 0;
		fail(1, "%.*s", (int)(n - 1), text);
	}
	onto(0, "/dev/null", O_RDONLY);
	onto(1, "/dev/null", O_WRONLY);
	onto(2, "/dev/null", O_WRONLY);
	root = child;
	if (pidfile) {
		FILE *f;
		int pid;
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		errno = 0;
		if (status)
			fail(2, "Rcriu restore ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
			     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		if (!(f = fopen(pidfile, "re")) || fscanf(f, "%d", &pid) != 1)
			fail(2, "Rcannot read %s", pidfile);
		fclose(f);
		root = pid;
	}
	record("root", "%d\n", root);
	close(report);
	for (;;) {
		pid_t got = waitpid(-1, &status, 0);
		if (got < 0 && errno != EINTR)
			return 1;
		if (got != root)
			continue;
		record("exit", WIFSIGNALED(status) ? "signaled %d\n" : "exited %d\n",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return 0;	/* the kernel ends whatever the job left behind in its namespace */
	}
}

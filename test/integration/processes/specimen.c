/*
 * A program that holds one thing for the inspector to find: specimen KIND [PATH]
 * When it holds it, it prints "ready", or "ready PID" if another process is the one to look at; then a dot ten times a second.
 * Status 77: this kernel has no such thing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;

static long need(long result)
{
	if (result < 0) {
		perror("specimen");
		_exit(errno == ENOSYS || errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT || errno == ENODEV ? 77 : 1);
	}
	return result;
}

static void forever(void)
{
	for (;;)
		usleep(100000);
}

static struct sockaddr_in loopback(int listener)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t length = sizeof a;
	if (listener >= 0)
		getsockname(listener, (void *)&a, &length);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static int tcp_listener(void)
{
	int s = need(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in a = loopback(-1);
	int yes = 1;
	/* As servers do: without it a restore soon after the kill meets the old connection in TIME_WAIT. */
	need(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
	need(bind(s, (void *)&a, sizeof a));
	need(listen(s, 5));
	return s;
}

static int tcp_client(int listener)
{
	int s = need(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in a = loopback(listener);
	need(connect(s, (void *)&a, sizeof a));
	return s;
}

static int unix_socket(int type, int server)
{
	int s = need(socket(AF_UNIX, type, 0));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	strcpy(a.sun_path, path);
	need(server ? bind(s, (void *)&a, sizeof a) : connect(s, (void *)&a, sizeof a));
	if (server && type == SOCK_STREAM)
		need(listen(s, 5));
	return s;
}

static pid_t hold(const char *kind)
{
	int pair[2], listener;
	char text[256] = "";
	if (!strcmp(kind, "tcp-inside")) {
		listener = tcp_listener();
		tcp_client(listener);
		need(accept(listener, NULL, NULL));
	} else if (!strcmp(kind, "tcp-half-closed")) {
		listener = tcp_listener();
		pair[0] = tcp_client(listener);
		need(accept(listener, NULL, NULL));
		close(pair[0]);
		close(listener);
	} else if (!strcmp(kind, "tcp-listening")) {
		tcp_listener();
	} else if (!strcmp(kind, "tcp-waiting")) {
		tcp_client(tcp_listener());
	} else if (!strcmp(kind, "tcp-outside")) {
		listener = tcp_listener();
		if (!need(fork())) {
			need(setsid());
			tcp_client(listener);
			close(listener);
			return getpid();
		}
		need(accept(listener, NULL, NULL));
		forever();
	} else if (!strcmp(kind, "udp")) {
		struct sockaddr_in a = loopback(-1);
		a.sin_port = htons(9);
		need(connect(need(socket(AF_INET, SOCK_DGRAM, 0)), (void *)&a, sizeof a));
	} else if (!strcmp(kind, "unbound")) {
		need(socket(AF_INET, SOCK_STREAM, 0));
		need(socket(AF_INET6, SOCK_DGRAM, 0));
		need(socket(AF_UNIX, SOCK_STREAM, 0));
		need(socket(AF_NETLINK, SOCK_RAW, 0));
	} else if (!strcmp(kind, "socket-kind")) {
		need(socket(AF_INET, SOCK_STREAM, 262)); /* IPPROTO_MPTCP */
	} else if (!strcmp(kind, "unix-inside")) {
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	} else if (!strcmp(kind, "unix-half-closed")) {
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		close(pair[1]);
	} else if (!strcmp(kind, "unix-outside")) {
		need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		if (need(fork())) {
			close(pair[0]);
			forever();
		}
		close(pair[1]);
		need(setsid());
		return getpid();
	} else if (!strcmp(kind, "datagram-server")) {
		unix_socket(SOCK_DGRAM, 1);
	} else if (!strcmp(kind, "unix-datagram")) {
		unix_socket(SOCK_DGRAM, 0);
	} else if (!strcmp(kind, "locks")) {
		int fd = need(open("lock", O_RDWR | O_CREAT, 0600));
		struct flock range = { .l_type = F_WRLCK };
		need(flock(fd, LOCK_EX));
		need(fcntl(need(open("lock2", O_RDWR | O_CREAT, 0600)), F_SETLK, &range));
	} else if (!strcmp(kind, "unlinked-file")) {
		int fd = need(open("ghost", O_RDWR | O_CREAT, 0600));
		for (int i = 0; i < 2048; i++)
			need(write(fd, memset(text, 'x', sizeof text), sizeof text) + write(fd, text, sizeof text) + write(fd, text, sizeof text));
		need(unlink("ghost"));
	} else if (!strcmp(kind, "unlinked-name")) {
		need(open("first", O_RDWR | O_CREAT, 0600));
		need(link("first", "second"));
		need(unlink("first"));
	} else if (!strcmp(kind, "odd-name")) {
		need(open("kept (deleted)", O_RDWR | O_CREAT, 0600));
	} else if (!strcmp(kind, "deleted-cwd")) {
		need(mkdir("gone", 0700));
		need(chdir("gone"));
		need(rmdir("../gone"));
	} else if (!strcmp(kind, "inotify")) {
		need(inotify_add_watch(need(inotify_init()), ".", IN_ALL_EVENTS));
	} else if (!strcmp(kind, "pipe-inside")) {
		need(pipe(pair));
		if (need(fork()) == 0) {
			close(pair[0]);
			forever();
		}
		close(pair[1]);
	} else if (!strcmp(kind, "pipe-half-closed")) {
		need(pipe(pair));
		close(pair[0]);
	} else if (!strcmp(kind, "pipe-outside")) {
		need(pipe(pair));
		if (need(fork()))
			forever();
		close(pair[0]);
		need(setsid());
		return getpid();
	} else if (!strcmp(kind, "terminal-inside") || !strcmp(kind, "terminal")) {
		int master = need(posix_openpt(O_RDWR | O_NOCTTY));
		need(grantpt(master) + unlockpt(master));
		need(open(ptsname(master), O_RDWR | O_NOCTTY));
		if (!strcmp(kind, "terminal")) {
			if (need(fork()))
				forever();
			close(master);
			need(setsid());
			return getpid();
		}
	} else if (!strcmp(kind, "io-uring")) {
		need(syscall(SYS_io_uring_setup, 4, text));
	} else if (!strcmp(kind, "userfaultfd")) {
		need(syscall(SYS_userfaultfd, 0));
	} else if (!strcmp(kind, "perf-event")) {
		struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof a, .config = PERF_COUNT_SW_CPU_CLOCK };
		need(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0));
	} else if (!strcmp(kind, "bpf")) {
		union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
		need(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
	} else if (!strcmp(kind, "device")) {
		if (open("/dev/fuse", O_RDWR) < 0)
			_exit(77);
	} else if (!strcmp(kind, "memory-devices")) {
		need(open("/dev/null", O_RDWR) + open("/dev/zero", O_RDWR) + open("/dev/urandom", O_RDONLY));
		need((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open("/dev/zero", O_RDWR), 0) >> 1);
	} else if (!strcmp(kind, "sysv")) {
		int id = need(shmget(IPC_PRIVATE, 8192, 0600));
		need((long)shmat(id, NULL, 0) >> 1);
		need(shmctl(id, IPC_RMID, NULL)); /* it lives on until detached */
	} else if (!strcmp(kind, "huge-pages")) {
		char *m = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		if (m == MAP_FAILED)
			_exit(77);
		*m = 1;
	} else if (!strcmp(kind, "criu-leftover")) {
		int fd = need(memfd_create("CRIUMFD", 0));
		need(ftruncate(fd, 8192));
		need((long)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) >> 1);
		close(fd);
	} else if (!strcmp(kind, "stopped")) {
		pid_t child = need(fork());
		if (!child) {
			raise(SIGSTOP);
			forever();
		}
		waitpid(child, NULL, WUNTRACED);
	} else if (!strcmp(kind, "traced")) {
		pid_t child = need(fork());
		if (child) {
			need(ptrace(PTRACE_SEIZE, child, NULL, NULL));
			usleep(500000);
			need(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
			forever();
		}
		need(setsid());
		usleep(200000);
		return getpid();
	} else if (!strcmp(kind, "not-session-leader")) {
		if (need(fork()))
			forever();
		return getpid();
	} else if (!strcmp(kind, "strays")) {
		if (!need(fork())) {
			if (need(fork()))
				_exit(0);
			forever();
		}
		wait(NULL);
	} else if (!strcmp(kind, "zombie")) {
		siginfo_t info;
		pid_t child = need(fork());
		if (!child)
			_exit(3);
		need(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	} else if (!strcmp(kind, "seccomp")) {
		struct sock_filter allow[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
		struct sock_fprog program = { 1, allow };
		need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
	} else if (!strcmp(kind, "namespace-own")) {
		need(unshare(CLONE_NEWNET));
	} else if (!strcmp(kind, "namespace-nested")) {
		if (need(fork()) == 0) {
			need(unshare(CLONE_NEWUTS));
			return getppid();
		}
		forever();
	} else if (!strcmp(kind, "odd-comm")) {
		need(prctl(PR_SET_NAME, "a) R (b c", 0, 0, 0));
	} else if (strcmp(kind, "nothing")) {
		_exit(1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pid_t other;
	close_range(3, ~0U, 0); /* what the test runner left open */
	path = argc > 2 ? argv[2] : "";
	other = hold(argc > 1 ? argv[1] : "");
	if (other)
		printf("ready %d\n", other);
	else
		puts("ready");
	for (;;) {
		fflush(stdout);
		usleep(100000);
		putchar('.');
	}
}

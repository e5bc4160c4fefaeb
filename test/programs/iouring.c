/* A process that holds an io_uring, which CRIU cannot dump. Sleeps until it is killed; exit status 77: the kernel has none. */
#include "pace.h"
#include <sys/syscall.h>

int main(void)
{
	char params[120] = { 0 };	/* struct io_uring_params, all zero */
	if (syscall(SYS_io_uring_setup, 4, params) < 0)
		return 77;
	for (;;)
		pause();
}

/* A process with a TCP connection to 127.0.0.1:PORT, whose other end is in another tree. `outside PORT`. */
#include "pace.h"
#include <arpa/inet.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(s >= 0 && !connect(s, (void *)&to, sizeof to), "connect");
	for (;;)
		pause();
}

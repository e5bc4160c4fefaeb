/* First process of pipeline.sh: `produce STEPS MICROS` writes one line for each step. */
#include "pace.h"

int main(int argc, char **argv)
{
	long steps = argc > 1 ? atol(argv[1]) : 3000, micros = argc > 2 ? atol(argv[2]) : 0;
	for (long step = 0; step < steps; step++) {
		printf("%ld %llu\n", step, (unsigned long long)(mix(step, 5) % 1000003));
		if (step % 4 == 3)
			fflush(stdout);
		pace(micros);
	}
	return 0;
}

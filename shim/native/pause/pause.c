/* lighter-pause: PID 1 of a pod that shares its PID namespace. It reaps whatever is reparented to it and ends, and
 * the namespace with it, on SIGTERM or SIGINT. */
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

int main(void)
{
	sigset_t signals;

	/* It is executed from a descriptor, which is no name; KILL of lighter-host goes by this one. */
	prctl(PR_SET_NAME, "lighter-pause");
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		int number = sigwaitinfo(&signals, NULL);

		if (number == SIGTERM || number == SIGINT)
			return 0;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

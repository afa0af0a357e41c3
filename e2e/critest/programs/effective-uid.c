/* Says which effective user it runs as: installed setuid root, it tells whether an execve could raise privileges. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("Effective uid: %u\n", (unsigned int)geteuid());
	return 0;
}

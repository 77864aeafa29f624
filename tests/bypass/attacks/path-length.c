// tries: reads and makes files at paths of every length, also longer than any path may be
// target: read
// allowed: no 8000
// variants: 199 200 201 255 256 1000 4094 4095 4096 8000
// event: guarded/* *xxxxxxxxxx*
// setup: $ATTACK "$PWD" "make-$VARIANT"

#include "attack.h"
#include <sys/sendfile.h>

enum { NAME_BYTES = 200 };

/* Enters folders below the current one until the absolute path of a file `secret` is that long. */
static void descend(size_t length, int make)
{
	char name[NAME_BYTES + 1];
	size_t now = strlen(directory) + strlen("/guarded");

	while (now + strlen("/secret") < length) {
		size_t wanted = length - now - strlen("/secret") - 1;

		if (wanted > NAME_BYTES)
			/* A rest of one byte would be a name of none. */
			wanted = wanted == NAME_BYTES + 1 ? NAME_BYTES - 1 : NAME_BYTES;
		if (!wanted)
			wanted = 1;
		memset(name, 'x', wanted);
		name[wanted] = 0;
		if (make)
			STEP(mkdir(name, 0755));
		STEP(chdir(name));
		now += wanted + 1;
	}
}

int main(int argc, char **argv)
{
	int from, to;

	begin(argc, argv);
	STEP(chdir("guarded"));
	if (strncmp(variant, "make-", 5) == 0) {
		from = STEP(open("secret", O_RDONLY));
		descend(strtoul(variant + 5, NULL, 10), 1);
		to = STEP(open("secret", O_WRONLY | O_CREAT, 0644));
		if (STEP(sendfile(to, from, NULL, NAME_BYTES)) == 0)
			broken("no secret to copy");
		done();
	}
	descend(strtoul(variant, NULL, 10), 0);
	print_file("secret");
	done();
}

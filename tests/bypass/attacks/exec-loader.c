// tries: has the dynamic loader, under its name or another, or the kernel as an interpreter, start a denied program
// target: exec
// variants: loader renamed linked interpreter
// setup: if test $VARIANT = interpreter; then cp /srv/bypass/bin/victim-alone programs/denied; fi

#include "attack.h"
#include <elf.h>

#define LOADER "/lib64/ld-linux-x86-64.so.2"

/* Makes free/x a program whose interpreter is the denied one. */
static void with_interpreter(void)
{
	char bytes[4096], name[64] = "free/i";
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)bytes;
	const Elf64_Phdr *part;
	int fd;

	copy_file("listed/allowed", "free/x", 0755);
	fd = STEP(open("free/x", O_RDWR));
	STEP(pread(fd, bytes, sizeof(bytes), 0));
	part = (const Elf64_Phdr *)(bytes + header->e_phoff);
	/* A name that is shorter than the one that is there. */
	for (int i = 0; i < header->e_phnum; i++, part++)
		if (part->p_type == PT_INTERP && part->p_filesz <= sizeof(name))
			STEP(pwrite(fd, name, part->p_filesz, part->p_offset));
	STEP(close(fd));
	STEP(symlink("../" DENIED_PROGRAM, "free/i"));
}

int main(int argc, char **argv)
{
	char *loader = "free/x";

	begin(argc, argv);
	if (is("loader"))
		loader = LOADER;
	else if (is("renamed"))
		copy_file(LOADER, "free/x", 0755);
	else if (is("linked"))
		STEP(symlink(LOADER, "free/x"));
	else
		with_interpreter();
	/* The loader tells its user, and ends with 127. */
	if (run_program(loader, (char *[]){ "x", DENIED_PROGRAM, NULL }))
		denied_with(EPERM, "it does not run");
	done();
}

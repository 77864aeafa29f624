// tries: reads what is denied to one program, in that program, under the identity of another
// target: read
// allowed: no exe-file
// action: file_read file_write
// event: bound/secret *PR_SET_MM*
// variants: none arguments comm exe-file

#include "attack.h"
#include <sys/mman.h>
#include <sys/prctl.h>

/* Puts memory of the same content where the executable is mapped: it can only be exchanged when nothing maps it. */
static void unmap_executable(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from[64], to[64];
	char line[PATH_MAX + 128];
	int count = 0;

	if (!maps)
		broken("no maps");
	while (fgets(line, sizeof(line), maps) && count < 64)
		if (strstr(line, "/programs/bound") && sscanf(line, "%lx-%lx", &from[count], &to[count]) == 2)
			count++;
	fclose(maps);
	for (int i = 0; i < count; i++) {
		size_t length = to[i] - from[i];
		void *copy = mmap(NULL, length, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (copy == MAP_FAILED)
			broken("no memory");
		memcpy(copy, (void *)from[i], length);
		if (mremap(copy, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, from[i]) == MAP_FAILED)
			broken("mremap");
	}
}

/* What the kernel says of the process, but with another executable. */
static void forge_executable(void)
{
	unsigned long field[46] = { 0 };
	struct prctl_mm_map map = { 0 };
	char text[4096] = "", *at;
	int fd;

	if (geteuid())
		private_mounts();
	fd = STEP(open("/proc/self/stat", O_RDONLY));
	STEP(read(fd, text, sizeof(text) - 1));
	close(fd);
	at = strrchr(text, ')') + 2;
	/* The third field is a letter; fields are counted from 1 in proc(5), the rest are numbers. */
	strsep(&at, " ");
	for (int i = 4; i < 52 && at; i++) {
		char *number = strsep(&at, " ");

		if (i >= 26 && i - 26 < 46)
			field[i - 26] = strtoul(number, NULL, 10);
	}
	map.start_code = field[26 - 26];
	map.end_code = field[27 - 26];
	map.start_stack = field[28 - 26];
	map.start_data = field[45 - 26];
	map.end_data = field[46 - 26];
	map.start_brk = field[47 - 26];
	map.brk = (unsigned long)sbrk(0);
	map.arg_start = field[48 - 26];
	map.arg_end = field[49 - 26];
	map.env_start = field[50 - 26];
	map.env_end = field[51 - 26];
	unmap_executable();
	map.exe_fd = STEP(open("listed/allowed", O_RDONLY));
	STEP(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0));
	STEP(readlink("/proc/self/exe", text, sizeof(text)));
	if (!strstr(text, "/listed/allowed"))
		broken("the executable is what it was");
}

int main(int argc, char **argv)
{
	char program[PATH_MAX];

	begin(argc, argv);
	if (strcmp(argv[0], "inside") != 0) {
		copy_file("/proc/self/exe", "programs/new", 0755);
		STEP(rename("programs/new", "programs/bound"));
		snprintf(program, sizeof(program), "%s/programs/bound", directory);
		STEP(execl(program, "inside", directory, variant, NULL));
	}
	if (is("arguments"))
		strcpy(argv[0], "cat");
	if (is("comm"))
		STEP(prctl(PR_SET_NAME, "cat"));
	if (is("exe-file"))
		forge_executable();
	print_file("bound/secret");
	done();
}

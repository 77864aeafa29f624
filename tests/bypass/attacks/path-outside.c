// tries: opens a secret through what /proc shows of a process outside any agent
// target: read
// outside: yes
// variants: cwd root descriptor folder-descriptor mapped unlinked
// event: guarded/secret guarded/gone

#include "attack.h"
#include <sys/mman.h>

/* Holds the secret in every way in which /proc shows one. */
static void outside(void)
{
	const char *name = strcmp(variant, "outside-unlinked") == 0 ? "guarded/gone" : SECRET;
	char text[64];
	int file, folder = STEP(open("guarded", O_RDONLY | O_DIRECTORY));
	void *bytes;

	if (strcmp(name, SECRET) != 0)
		copy_file(SECRET, name, 0644);
	file = STEP(open(name, O_RDONLY));
	if (strcmp(name, SECRET) != 0)
		STEP(unlink(name));
	bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	if (bytes == MAP_FAILED)
		broken("no mapping");
	snprintf(text, sizeof(text), "%d %d %d %lx", getpid(), file, folder, (unsigned long)bytes);
	STEP(chdir("guarded"));
	write_text("../free/ready.new", text);
	STEP(rename("../free/ready.new", "../free/ready"));
	pause();
}

int main(int argc, char **argv)
{
	FILE *ready;
	int pid, file, folder;
	unsigned long bytes;
	char path[PATH_MAX];

	begin(argc, argv);
	if (strncmp(variant, "outside", 7) == 0) {
		outside();
		return 0;
	}
	ready = fopen("free/ready", "r");
	if (!ready || fscanf(ready, "%d %d %d %lx", &pid, &file, &folder, &bytes) != 4)
		broken("nobody outside");
	if (is("cwd"))
		snprintf(path, sizeof(path), "/proc/%d/cwd/secret", pid);
	else if (is("root"))
		snprintf(path, sizeof(path), "/proc/%d/root%s/" SECRET, pid, directory);
	else if (is("folder-descriptor"))
		snprintf(path, sizeof(path), "/proc/%d/fd/%d/secret", pid, folder);
	else if (is("mapped") && !geteuid())
		snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, bytes, bytes + 4096);
	else
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, file);
	print_file(path);
	done();
}

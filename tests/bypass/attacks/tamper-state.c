// tries: reads the keys and changes the state of the daemon
// target: self
// who: root
// allowed: no
// event: *daemon*
// variants: key chmod append rename remove plant

#include "tamper.h"

/* The first regular file of the state, or its private key. */
static void find_file(const char *folder, char *found, size_t size)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;

	if (!entries)
		denied_with(errno, "the folder of the state");
	while ((entry = readdir(entries))) {
		struct stat info;

		snprintf(found, size, "%.300s/%s", folder, entry->d_name);
		if (stat(found, &info) == 0 && S_ISREG(info.st_mode) &&
		    (!is("key") || strcmp(entry->d_name, "identity.json") == 0)) {
			closedir(entries);
			return;
		}
	}
	broken("the daemon keeps no file");
}

int main(int argc, char **argv)
{
	char state[PATH_MAX] = "", file[PATH_MAX], aside[PATH_MAX + 8];
	struct stat info;
	int fd;

	begin(argc, argv);
	find_daemon("--state-dir", state, sizeof(state));
	find_file(state, file, sizeof(file));
	snprintf(aside, sizeof(aside), "%s.aside", file);
	STEP(stat(file, &info));
	if (is("key")) {
		char byte;

		STEP(read(STEP(open(file, O_RDONLY)), &byte, 1));
	} else if (is("chmod")) {
		STEP(chmod(file, info.st_mode & 07777));
	} else if (is("append")) {
		STEP(open(file, O_WRONLY | O_APPEND));
	} else if (is("rename")) {
		STEP(rename(file, aside));
		STEP(rename(aside, file));
	} else if (is("remove")) {
		/* A second name goes first, then the file would. */
		STEP(link(file, aside));
		STEP(unlink(aside));
	} else if (is("plant")) {
		fd = STEP(open(aside, O_WRONLY | O_CREAT | O_EXCL, 0600));
		close(fd);
		STEP(unlink(aside));
	}
	done();
}

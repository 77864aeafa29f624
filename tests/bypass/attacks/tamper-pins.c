// tries: removes, renames and covers what keeps the programs in the kernel
// target: self
// who: root
// allowed: no
// action: file_write
// event: /sys/fs/bpf* */free/bpf*
// variants: unlink rename rename-folder remove make unmount unmount-lazy symlink
// setup: if [ $VARIANT = unmount ] || [ $VARIANT = unmount-lazy ] || [ $VARIANT = unlink ] || [ $VARIANT = remove ]; then
//   mkdir free/bpf; mount -t bpf bpf free/bpf; ln -s nowhere free/bpf/pin; mkdir free/bpf/folder; fi

#include "attack.h"
#include <dirent.h>

#define PINS "/sys/fs/bpf/tyr"

/* Any pinned object below `folder`. */
static int find_pin(const char *folder, char *found, size_t size)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	struct stat info;
	int got = 0;

	if (!entries)
		denied_with(errno, folder);
	while (entries && !got && (entry = readdir(entries))) {
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.200s/%s", folder, entry->d_name);
		if (lstat(path, &info))
			continue;
		if (S_ISDIR(info.st_mode)) {
			got = find_pin(path, found, size);
		} else {
			snprintf(found, size, "%s", path);
			got = 1;
		}
	}
	if (entries)
		closedir(entries);
	return got;
}

int main(int argc, char **argv)
{
	char pin[512], aside[520];

	begin(argc, argv);
	if (is("unlink")) {
		STEP(unlink("free/bpf/pin"));
	} else if (is("remove")) {
		STEP(rmdir("free/bpf/folder"));
	} else if (is("unmount") || is("unmount-lazy")) {
		STEP(umount2("free/bpf", is("unmount") ? 0 : MNT_DETACH));
	} else if (is("make")) {
		STEP(mkdir(PINS "/mine", 0700));
		STEP(rmdir(PINS "/mine"));
	} else if (is("symlink")) {
		STEP(symlink("nowhere", PINS "/mine"));
		STEP(unlink(PINS "/mine"));
	} else if (is("rename-folder")) {
		STEP(rename(PINS, PINS "-aside"));
		STEP(rename(PINS "-aside", PINS));
	} else {
		if (!find_pin(PINS, pin, sizeof(pin)))
			broken("nothing is pinned");
		snprintf(aside, sizeof(aside), "%s-aside", pin);
		STEP(rename(pin, aside));
		STEP(rename(aside, pin));
	}
	done();
}

/* For attacks on Tyr itself: where the daemon is. None of them does lasting harm when it succeeds. */
#ifndef TAMPER_H
#define TAMPER_H

#include "attack.h"
#include <dirent.h>

/* The value after `option` on the daemon's command line; its process when `option` is NULL. */
static inline pid_t find_daemon(const char *option, char *value, size_t size)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes))) {
		char path[300], line[4096] = "", *word, *end;
		int fd, length;

		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		length = read(fd, line, sizeof(line) - 1);
		close(fd);
		if (length <= 0)
			continue;
		end = line + length;
		word = line + strlen(line) + 1;
		if (word >= end || strcmp(word, "daemon") || !strstr(line, "tyr"))
			continue;
		for (; option && word < end; word += strlen(word) + 1)
			if (strcmp(word, option) == 0)
				snprintf(value, size, "%s", word + strlen(word) + 1);
		closedir(processes);
		return atoi(entry->d_name);
	}
	broken("no daemon runs");
}

static inline pid_t daemon_process(void)
{
	return find_daemon(NULL, NULL, 0);
}

#endif

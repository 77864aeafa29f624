// tries: mounts the folder of a secret, or the secret, where nothing is denied, and reads it there
// target: read
// variants: folder file recursive moved

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	private_mounts();
	if (is("file")) {
		STEP(mount(SECRET, "free/file", NULL, MS_BIND, NULL));
		print_file("free/file");
	} else {
		STEP(mkdir("free/mount", 0700));
		STEP(mount("guarded", "free/mount", NULL, is("recursive") ? MS_BIND | MS_REC : MS_BIND, NULL));
		if (is("moved")) {
			STEP(mkdir("free/moved", 0700));
			STEP(mount("free/mount", "free/moved", NULL, MS_MOVE, NULL));
			print_file("free/moved/secret");
		} else {
			print_file("free/mount/secret");
		}
	}
	done();
}

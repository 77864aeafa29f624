// tries: opens the file by its own name
// target: read

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	print_file(SECRET);
	done();
}

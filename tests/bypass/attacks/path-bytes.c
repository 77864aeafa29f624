// tries: reads files whose names are not text
// target: read
// variants: newline high-bytes escape deleted star
// setup: cd guarded; cat secret > "$(printf 'k\ny')"; cat secret > "$(printf 'k\377\376')";
//        cat secret > "$(printf 'k\033[2J')"; cat secret > 'secret (deleted)'; cat secret > '*'
// event: guarded/k* guarded/secret?(deleted) guarded/?

#include "attack.h"

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("newline"))
		print_file("guarded/k\ny");
	else if (is("high-bytes"))
		print_file("guarded/k\377\376");
	else if (is("escape"))
		print_file("guarded/k\033[2J");
	else if (is("deleted"))
		print_file("guarded/secret (deleted)");
	else
		print_file("guarded/*");
	done();
}

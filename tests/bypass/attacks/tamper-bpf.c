// tries: gets at programs, maps and links by bpf(2), and loads a program of its own
// target: self
// who: root
// allowed: no
// action: file_write
// event: *bpf?command*
// variants: next-program next-map program map-write map-delete link-detach load

#include "attack.h"
#include <linux/bpf.h>

static int bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof(*attributes));
}

/* The newest of a kind, which may be the attack's own. */
static int newest(int next, int open_it)
{
	union bpf_attr attributes = {};
	unsigned int id = 0;

	for (;;) {
		memset(&attributes, 0, sizeof(attributes));
		attributes.start_id = id;
		if (bpf(next, &attributes))
			break;
		id = attributes.next_id;
	}
	if (errno != ENOENT)
		denied_with(errno, "next id");
	memset(&attributes, 0, sizeof(attributes));
	attributes.map_id = id;
	return STEP(bpf(open_it, &attributes));
}

static int own_map(void)
{
	union bpf_attr attributes = { .map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4,
				      .max_entries = 1 };

	return STEP(bpf(BPF_MAP_CREATE, &attributes));
}

static void load(void)
{
	struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (unsigned long)instructions,
		.insn_cnt = 2,
		.license = (unsigned long)"GPL",
	};

	STEP(bpf(BPF_PROG_LOAD, &attributes));
}

int main(int argc, char **argv)
{
	unsigned int key = 1, value = 2;
	union bpf_attr attributes = { .key = (unsigned long)&key, .value = (unsigned long)&value };

	begin(argc, argv);
	if (is("next-program")) {
		union bpf_attr next = {};

		STEP(bpf(BPF_PROG_GET_NEXT_ID, &next));
	} else if (is("next-map")) {
		newest(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID);
	} else if (is("program")) {
		newest(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID);
	} else if (is("map-write") || is("map-delete")) {
		attributes.map_fd = own_map();
		STEP(bpf(BPF_MAP_UPDATE_ELEM, &attributes));
		attributes.value = 0;
		if (is("map-delete"))
			STEP(bpf(BPF_MAP_DELETE_ELEM, &attributes));
	} else if (is("link-detach")) {
		union bpf_attr detach = {};

		detach.link_detach.link_fd = newest(BPF_LINK_GET_NEXT_ID, BPF_LINK_GET_FD_BY_ID);
		/* Links of this kind have no such operation. */
		if (bpf(BPF_LINK_DETACH, &detach) && errno != EOPNOTSUPP)
			denied_with(errno, "detach");
	} else {
		load();
	}
	done();
}

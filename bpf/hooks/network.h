/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections: where to, whichever call says it. */

struct tyr_sockaddr_in {
	__u16 family;
	__u16 port;
	__u8 address[4];
};

struct tyr_sockaddr_in6 {
	__u16 family;
	__u16 port;
	__u32 flow;
	__u8 address[16];
};

enum tyr_address_sizes {
	TYR_SOCKADDR_IN_MIN = 16,
	TYR_SOCKADDR_IN6_MIN = 24,	/* the kernel takes addresses without a scope id */
	TYR_ADDRESS_MAX = 128,
	TYR_LOOPBACK = 0x7f000001,
};

static __always_inline int tyr_all_zero(const __u8 *bytes, int count)
{
	__u8 any = 0;

	for (int i = 0; i < count; i++)
		any |= bytes[i];
	return !any;
}

static __always_inline void tyr_endpoint_set4(struct tyr_endpoint *endpoint, const __u8 *address)
{
	__builtin_memset(endpoint->address, 0, sizeof(endpoint->address));
	__builtin_memcpy(endpoint->address, address, 4);
	endpoint->length = 4;
}

static __always_inline int tyr_is_mapped(const __u8 *address)
{
	return tyr_all_zero(address, 10) && address[10] == 0xff && address[11] == 0xff;
}

static __always_inline void tyr_endpoint_set6(struct tyr_endpoint *endpoint, const __u8 *address)
{
	if (tyr_is_mapped(address)) {
		__u8 mapped[4];

		__builtin_memcpy(mapped, address + 12, sizeof(mapped));
		tyr_endpoint_set4(endpoint, mapped);
		return;
	}
	__builtin_memcpy(endpoint->address, address, 16);
	endpoint->length = 16;
}

/*
 * The address of all zeroes means this host: for the kernel that is the address the socket has,
 * and the loopback address only when it has none. A message of IPv4 can bring another one along
 * as control data: then nobody knows.
 */
static __noinline void tyr_endpoint_here(struct tyr_endpoint *endpoint, struct socket *sock,
					 __u64 control)
{
	struct in6_addr six = {};
	__u32 four = 0;

	if (endpoint->length == 16) {
		BPF_CORE_READ_INTO(&six, sock, sk, __sk_common.skc_v6_rcv_saddr);
		if (!tyr_is_mapped(six.bytes)) {
			endpoint->address[15] = 1;
			return;
		}
	} else if (control) {
		endpoint->length = 0;
		return;
	} else {
		four = BPF_CORE_READ(sock, sk, __sk_common.skc_rcv_saddr);
	}
	if (!four)
		four = __builtin_bswap32(TYR_LOOPBACK);
	tyr_endpoint_set4(endpoint, (__u8 *)&four);
}

/* `family` is that of the name, or of the socket where the kernel takes it for that. */
static __always_inline void tyr_endpoint_read(struct tyr_endpoint *endpoint, const void *name,
					      int length, __u16 family)
{
	if (family == AF_INET && length >= TYR_SOCKADDR_IN_MIN) {
		const struct tyr_sockaddr_in *four = name;

		endpoint->port = __builtin_bswap16(four->port);
		tyr_endpoint_set4(endpoint, four->address);
	} else if (family == AF_INET6 && length >= TYR_SOCKADDR_IN6_MIN) {
		const struct tyr_sockaddr_in6 *six = name;

		endpoint->port = __builtin_bswap16(six->port);
		tyr_endpoint_set6(endpoint, six->address);
	}
}

/* A socket and the name that it is to connect to. */
struct tyr_naming {
	struct tyr_named named;
	__u16 family;		/* of the socket */
	__u16 protocol;
	int length;
	__u32 hook;
};

/* Reads what rules can see of the name; false when it cannot be read. */
static __always_inline int tyr_naming_read(struct tyr_naming *naming, struct socket *sock,
					   const void *name)
{
	__u64 size = naming->length;
	struct sock *sk = sock->sk;

	if (sk) {
		naming->family = sk->__sk_common.skc_family;
		naming->protocol = sk->sk_protocol;
	}
	naming->named.socket = naming->family << 16 | naming->protocol;
	naming->named.length = naming->length;
	if (naming->length < (int)sizeof(__u16))
		return 0;
	if (size > sizeof(struct tyr_sockaddr_in6))
		size = sizeof(struct tyr_sockaddr_in6);
	tyr_opaque(size);
	if (size > sizeof(naming->named.name))
		return 0;
	return !bpf_probe_read_kernel(naming->named.name, size, name);
}

/* Whether the same was allowed just before and nothing has changed since. */
static __always_inline int tyr_naming_is_known(struct tyr_task *task, struct tyr_naming *naming)
{
	struct tyr_named *known = &task->named, *now = &naming->named;

	return tyr_profile_is_kept(task, tyr_session_epoch()) &&
	       known->generation == task->generation && known->profile == task->profile &&
	       known->socket == now->socket && known->length == now->length &&
	       known->name[0] == now->name[0] && known->name[1] == now->name[1] &&
	       known->name[2] == now->name[2] && known->name[3] == now->name[3];
}

static __noinline int tyr_decide_naming(struct tyr_decision *decision, struct tyr_naming *naming,
					struct socket *sock, __u64 control)
{
	int is_here;
	__u16 family = (__u16)naming->named.name[0];
	struct tyr_task *task = decision->task;
	struct tyr_endpoint *endpoint;
	struct tyr_scratch *work;

	switch (tyr_begin_as(decision, task, TYR_ACTION_NET_CONNECT, naming->hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	work = decision->work;
	endpoint = &work->endpoint;
	if (family == AF_UNSPEC) {
		/* Ends an association; but sending to one from an IPv4 socket is IPv4. */
		if (naming->hook == TYR_HOOK_SOCKET_CONNECT || naming->family == AF_INET6)
			return 0;
		family = naming->family;
	}
	endpoint->protocol = naming->protocol;
	tyr_endpoint_read(endpoint, naming->named.name, naming->length, family);
	is_here = endpoint->length && tyr_all_zero(endpoint->address, sizeof(endpoint->address));
	if (is_here)
		tyr_endpoint_here(endpoint, sock, control);
	if (tyr_decide_class(decision, tyr_net_class(&decision->image, endpoint)))
		return -EPERM;
	/* What this host is for a socket is not in the name. */
	if (!is_here && work->cell & TYR_CELL_SILENT && task->profile_epoch) {
		naming->named.generation = task->generation;
		naming->named.profile = task->profile;
		task->named = naming->named;
	}
	return 0;
}

/* `control`: bytes of control data beside the name. */
static __always_inline int tyr_judge_name(struct socket *sock, const void *name, int length,
					  __u32 hook, __u64 control)
{
	struct tyr_naming naming = { .length = length, .hook = hook };
	struct tyr_decision decision = {};
	int is_read;
	__u32 who;

	if (!sock->file)
		return 0;	/* the kernel's own socket */
	decision.task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!decision.task)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	is_read = tyr_naming_read(&naming, sock, name);
	if (naming.family == AF_UNIX || naming.family == AF_NETLINK || naming.family == AF_ALG)
		return 0;
	if (!is_read) {
		if (tyr_begin_as(&decision, decision.task, TYR_ACTION_NET_CONNECT, hook, 0) ==
		    TYR_BEGIN_FREE)
			return 0;
		return decision.work ? tyr_decide_class(&decision, -1) : -EPERM;
	}
	if (tyr_naming_is_known(decision.task, &naming)) {
		tyr_count(TYR_COUNT_REMEMBERED);
		return 0;
	}
	return tyr_decide_naming(&decision, &naming, sock, control);
}

TYR_HOOK(socket_connect, "socket_connect", "security_socket_connect", struct socket *sock,
	 struct sockaddr *address, int length)
{
	return tyr_judge_name(sock, address, length, TYR_HOOK_SOCKET_CONNECT, 0);
}

/* A name on a message connects: UDP without connect, and TCP fast open. */
TYR_HOOK(socket_sendmsg, "socket_sendmsg", "security_socket_sendmsg", struct socket *sock,
	 struct msghdr *message)
{
	void *name = BPF_CORE_READ(message, msg_name);

	if (!name)
		return 0;
	return tyr_judge_name(sock, name, BPF_CORE_READ(message, msg_namelen),
			      TYR_HOOK_SOCKET_SENDMSG, BPF_CORE_READ(message, msg_controllen));
}

/* A connection that somebody else has made, and that came as a descriptor. */
static __noinline int tyr_judge_passed(struct file *file)
{
	struct socket *sock = BPF_CORE_READ(file, private_data);
	struct tyr_decision decision = {};
	struct tyr_endpoint *endpoint;
	struct in6_addr six = {};
	__u16 family, port;
	__u32 four;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK ||
	    BPF_CORE_READ(sock, file) != file)
		return 0;
	family = BPF_CORE_READ(sock, sk, __sk_common.skc_family);
	port = BPF_CORE_READ(sock, sk, __sk_common.skc_dport);
	if ((family != AF_INET && family != AF_INET6) || !port)
		return 0;
	switch (tyr_begin(&decision, TYR_ACTION_NET_CONNECT, TYR_HOOK_FILE_RECEIVE, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	endpoint = &decision.work->endpoint;
	endpoint->protocol = BPF_CORE_READ(sock, sk, sk_protocol);
	endpoint->port = __builtin_bswap16(port);
	if (family == AF_INET) {
		four = BPF_CORE_READ(sock, sk, __sk_common.skc_daddr);
		tyr_endpoint_set4(endpoint, (__u8 *)&four);
	} else {
		BPF_CORE_READ_INTO(&six, sock, sk, __sk_common.skc_v6_daddr);
		tyr_endpoint_set6(endpoint, six.bytes);
	}
	return tyr_decide_class(&decision, tyr_net_class(&decision.image, endpoint));
}

/* Whether every address this socket can reach passes one of the two hooks above. */
static __always_inline int tyr_socket_is_plain(int family, int type, int protocol)
{
	type &= SOCK_TYPE_MASK;
	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG)
		return 1;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (type == SOCK_STREAM)
		return !protocol || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
	if (type == SOCK_DGRAM)
		return !protocol || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
		       protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	return 0;
}

/* Any other socket can reach any address: it is a connect to the address that no rule knows. */
TYR_HOOK(socket_create, "socket_create", "security_socket_create", int family, int type,
	 int protocol, int kern)
{
	struct tyr_decision decision = {};

	if (kern || tyr_socket_is_plain(family, type, protocol))
		return 0;
	switch (tyr_begin(&decision, TYR_ACTION_NET_CONNECT, TYR_HOOK_SOCKET_CREATE, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	decision.work->endpoint.protocol = protocol;
	return tyr_decide_class(&decision,
				tyr_net_class(&decision.image, &decision.work->endpoint));
}

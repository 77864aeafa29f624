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
static __always_inline void tyr_endpoint_read(struct tyr_endpoint *endpoint, const void *name, int length,
					  __u16 family)
{
	struct tyr_sockaddr_in6 six = {};

	if (family == AF_INET && length >= TYR_SOCKADDR_IN_MIN) {
		struct tyr_sockaddr_in four = {};

		if (bpf_probe_read_kernel(&four, sizeof(four), name))
			return;
		endpoint->port = __builtin_bswap16(four.port);
		tyr_endpoint_set4(endpoint, four.address);
	} else if (family == AF_INET6 && length >= TYR_SOCKADDR_IN6_MIN) {
		if (bpf_probe_read_kernel(&six, sizeof(six), name))
			return;
		endpoint->port = __builtin_bswap16(six.port);
		tyr_endpoint_set6(endpoint, six.address);
	}
}

/* `control`: bytes of control data beside the name. */
static __noinline int tyr_judge_name(struct socket *sock, const void *name, int length, __u32 hook,
				     __u64 control)
{
	struct tyr_decision decision = {};
	struct tyr_endpoint *endpoint;
	__u16 family = 0, of_socket;

	if (!BPF_CORE_READ(sock, file))
		return 0;	/* the kernel's own socket */
	switch (tyr_begin(&decision, TYR_ACTION_NET_CONNECT, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	endpoint = &decision.work->endpoint;
	of_socket = BPF_CORE_READ(sock, sk, __sk_common.skc_family);
	if (of_socket == AF_UNIX || of_socket == AF_NETLINK || of_socket == AF_ALG)
		return 0;
	if (length < (int)sizeof(family) || bpf_probe_read_kernel(&family, sizeof(family), name))
		return tyr_decide_class(&decision, -1);
	if (family == AF_UNSPEC) {
		/* Ends an association; but sending to one from an IPv4 socket is IPv4. */
		if (hook == TYR_HOOK_SOCKET_CONNECT || of_socket == AF_INET6)
			return 0;
		family = of_socket;
	}
	endpoint->protocol = BPF_CORE_READ(sock, sk, sk_protocol);
	tyr_endpoint_read(endpoint, name, length, family);
	if (endpoint->length && tyr_all_zero(endpoint->address, sizeof(endpoint->address)))
		tyr_endpoint_here(endpoint, sock, control);
	return tyr_decide_class(&decision, tyr_net_class(&decision.image, endpoint));
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

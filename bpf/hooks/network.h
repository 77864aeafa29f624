/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections: where to, whichever call says it. */

struct tyr_sockaddr_in {
	__u16 family;
	__u16 port;
	__u32 address;
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
	TYR_CONTROLS_MAX = 16,		/* more on one message are taken for a route */
};

/* One part of a message's control data; the next one begins at a multiple of eight bytes. */
struct tyr_control_header {
	__u64 length;			/* with this header */
	__u32 level;
	__u32 type;
};

enum tyr_route_options {
	SOL_IP = 0,
	SOL_IPV6 = 41,
	IP_OPTIONS = 4,
	IP_RETOPTS = 7,
	IPV6_2292RTHDR = 5,
	IPV6_2292PKTOPTIONS = 6,
	IPV6_FLOWLABEL_MGR = 32,
	IPV6_RTHDR = 57,
};

static __always_inline int tyr_all_zero(const __u8 *bytes, int count)
{
	__u8 any = 0;

	for (int i = 0; i < count; i++)
		any |= bytes[i];
	return !any;
}

/* Whether it is the address of all zeroes. */
static __always_inline int tyr_is_here(const struct tyr_endpoint *endpoint)
{
	__u64 half[2];

	__builtin_memcpy(half, endpoint->address, sizeof(half));
	return !(half[0] | half[1]);
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

		endpoint->port = four->port;
		tyr_endpoint_set4(endpoint, (const __u8 *)&four->address);
	} else if (family == AF_INET6 && length >= TYR_SOCKADDR_IN6_MIN) {
		const struct tyr_sockaddr_in6 *six = name;

		endpoint->port = six->port;
		tyr_endpoint_set6(endpoint, six->address);
	}
}

/* A name that a socket is to connect to, as far as rules can see it. */
struct tyr_naming {
	struct tyr_endpoint endpoint;
	int length;
	__u16 is_read;
	__u16 is_end;		/* of an association, which connects to nothing */
	__u32 family;		/* of the socket */
	__u32 hook;
};

/* Reads `name`. Not inlined: what it needs of the stack is free again when a decision is made. */
static __noinline int tyr_naming_read(struct tyr_naming *naming, const void *name)
{
	__u64 size = naming->length;
	__u64 words[4] = {};
	__u16 family;

	if (naming->length < (int)sizeof(family))
		return 0;
	if (size > sizeof(struct tyr_sockaddr_in6))
		size = sizeof(struct tyr_sockaddr_in6);
	tyr_opaque(size);
	if (size > sizeof(words) || bpf_probe_read_kernel(words, size, name))
		return 0;
	naming->is_read = 1;
	family = (__u16)words[0];
	if (family == AF_UNSPEC) {
		/* Ends an association; but sending to one from an IPv4 socket is IPv4. */
		naming->is_end = naming->hook == TYR_HOOK_SOCKET_CONNECT ||
				 naming->family == AF_INET6;
		family = naming->family;
	}
	tyr_endpoint_read(&naming->endpoint, words, naming->length, family);
	return 0;
}

static __noinline int tyr_decide_naming(struct tyr_task *task, struct tyr_naming *naming,
					struct socket *sock, __u64 control)
{
	struct tyr_decision decision = {};
	struct tyr_endpoint *endpoint;

	switch (tyr_begin_as(&decision, task, TYR_ACTION_NET_CONNECT, naming->hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	if (!naming->is_read)
		return tyr_decide_class(&decision, -1);
	if (naming->is_end)
		return 0;
	endpoint = &decision.work->endpoint;
	*endpoint = naming->endpoint;
	if (endpoint->length && tyr_is_here(endpoint))
		tyr_endpoint_here(endpoint, sock, control);
	return tyr_decide_class(&decision, tyr_net_class(&decision.image, endpoint));
}

/* `control`: bytes of control data beside the name. */
static __always_inline int tyr_judge_name(struct tyr_task *task, struct socket *sock,
					  const void *name, struct tyr_naming *naming,
					  __u64 control)
{
	struct sock *sk = sock->sk;
	struct tyr_image_ref image;

	if (sk) {
		naming->family = sk->__sk_common.skc_family;
		naming->endpoint.protocol = sk->sk_protocol;
	}
	if (naming->family == AF_UNIX || naming->family == AF_NETLINK || naming->family == AF_ALG)
		return 0;
	tyr_naming_read(naming, name);
	/* What this host is for a socket is not in the name. */
	if (naming->endpoint.length && !naming->is_end && !tyr_is_here(&naming->endpoint) &&
	    tyr_image_of_kept(&image, task) &&
	    tyr_connects_silently(&image, task, tyr_net_class(&image, &naming->endpoint)))
		return 0;
	return tyr_decide_naming(task, naming, sock, control);
}

/*
 * Eight bytes of a name from `at` on, below the 16 that a sockaddr has. The verifier knows the type of
 * the name in socket_connect, so no call of the kernel is needed; the compiler would read byte by
 * byte what is not aligned.
 */
#define TYR_NAME_WORD(name, at) ({								\
	__u64 word_;										\
	asm("%0 = *(u64 *)(%1 + " #at ")" : "=r"(word_) : "r"(name));			\
	word_;											\
})

/* tyr_passes_at_once for an IPv4 address and a port in network order. */
static __always_inline int tyr_passes_four(struct tyr_task *task, __u64 address, __u64 port,
					   __u64 protocol)
{
	__u64 key = tyr_net_key4(address, port, protocol);
	struct tyr_image_ref image;

	/* Or it is put together only where it is walked, of parts that are kept on the stack. */
	tyr_opaque(key);
	return address && tyr_image_of_kept(&image, task) &&
	       tyr_connects_silently(&image, task, tyr_net_class4(&image, key));
}

/* tyr_passes_at_once for a whole IPv6 name. */
static __noinline int tyr_passes_six(struct tyr_task *task, const struct sockaddr *name,
				     __u64 port, __u64 protocol)
{
	__u64 high = TYR_NAME_WORD(name, 8), low, end = tyr_net_key_end(port, protocol);
	struct tyr_image_ref image;

	if (bpf_probe_read_kernel(&low, sizeof(low), (const void *)name + 16))
		return 0;
	if (!high && (low & 0xffffffff) == 0xffff0000)
		return tyr_passes_four(task, low >> 32, port, protocol);
	return high | low && tyr_image_of_kept(&image, task) &&
	       tyr_connects_silently(&image, task, tyr_net_class6(&image, high, low, end));
}

/*
 * Whether the name is an address that the policy lets pass without an event. What is not plain is
 * left to tyr_judge_connect.
 */
static __always_inline int tyr_passes_at_once(struct tyr_task *task, struct socket *sock,
					      const struct sockaddr *name, int length)
{
	struct sock *sk = sock->sk;
	__u64 word, port;

	if (length < TYR_SOCKADDR_IN_MIN || !sk)
		return 0;
	word = TYR_NAME_WORD(name, 2);
	port = word & 0xffff;
	if (name->sa_family == AF_INET)
		return tyr_passes_four(task, word >> 16 & 0xffffffff, port, sk->sk_protocol);
	if (name->sa_family == AF_INET6 && length >= TYR_SOCKADDR_IN6_MIN)
		return tyr_passes_six(task, name, port, sk->sk_protocol);
	return 0;
}

static __noinline int tyr_judge_connect(struct tyr_task *task, struct socket *sock,
					const struct sockaddr *name, int length)
{
	struct tyr_naming naming = { .length = length, .hook = TYR_HOOK_SOCKET_CONNECT };

	return tyr_judge_name(task, sock, name, &naming, 0);
}

TYR_HOOK(socket_connect, "socket_connect", "security_socket_connect", struct socket *sock,
	 struct sockaddr *address, int length)
{
	struct tyr_task *task;
	__u32 who;

	if (!sock->file)
		return 0;	/* the kernel's own socket */
	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!task)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	if (tyr_passes_at_once(task, sock, address, length))
		return 0;
	return tyr_judge_connect(task, sock, address, length);
}

/* What can reach any address is a connect to the address that no rule knows. */
static __noinline int tyr_decide_anywhere(__u32 hook, __u32 protocol)
{
	struct tyr_decision decision = {};

	switch (tyr_begin(&decision, TYR_ACTION_NET_CONNECT, hook, 0)) {
	case TYR_BEGIN_FREE:
		return 0;
	case TYR_BEGIN_DENY:
		return -EPERM;
	}
	decision.work->endpoint.protocol = protocol;
	return tyr_decide_class(&decision,
				tyr_net_class(&decision.image, &decision.work->endpoint));
}

static __always_inline int tyr_is_internet(__u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

/*
 * Whether control data of `length` bytes from `control` on, a copy of the kernel's own, has a route
 * through other addresses in it. As the kernel reads them: what it refuses to read it does not send.
 */
TYR_GLOBAL int tyr_control_has_route(__u64 control, __u64 length)
{
	struct tyr_control_header header;

#pragma clang loop unroll(disable)
	for (int i = 0; i < TYR_CONTROLS_MAX; i++) {
		__u64 size;

		if (length < sizeof(header))
			return 0;
		if (bpf_probe_read_kernel(&header, sizeof(header), (const void *)control))
			return 1;
		size = header.length;
		if (size < sizeof(header) || size > length)
			return 0;
		if (header.level == SOL_IP && header.type == IP_RETOPTS)
			return 1;
		if (header.level == SOL_IPV6 &&
		    (header.type == IPV6_RTHDR || header.type == IPV6_2292RTHDR))
			return 1;
		size = (size + 7) & ~7ULL;
		if (size >= length)
			return 0;
		control += size;
		length -= size;
	}
	return 1;
}

/*
 * A name on a message connects: UDP without connect, and TCP fast open. So does a route, by which
 * the message goes to another address than the one that was judged.
 */
TYR_HOOK(socket_sendmsg, "socket_sendmsg", "security_socket_sendmsg", struct socket *sock,
	 struct msghdr *message)
{
	__u64 control = message->msg_controllen;
	void *name = message->msg_name;
	struct sock *sk = sock->sk;
	struct tyr_naming naming;
	struct tyr_task *task;
	__u32 who;

	if (!(name || control) || !sock->file)
		return 0;
	task = tyr_task_find(bpf_get_current_task_btf(), &who);
	if (!task)
		return who == TYR_WHO_FAULT ? -EPERM : 0;
	if (control && sk && tyr_is_internet(sk->__sk_common.skc_family) &&
	    tyr_control_has_route((__u64)message->msg_control, control) &&
	    tyr_decide_anywhere(TYR_HOOK_SOCKET_SENDMSG, sk->sk_protocol))
		return -EPERM;
	if (!name)
		return 0;
	naming = (struct tyr_naming){
		.length = message->msg_namelen,
		.hook = TYR_HOOK_SOCKET_SENDMSG,
	};
	return tyr_judge_name(task, sock, name, &naming, control);
}

/*
 * A route for all that the socket sends, also one that comes with a flow label: packets go to the
 * first address of it, which no other hook sees. What the option holds is not known here.
 */
TYR_HOOK(socket_setsockopt, "socket_setsockopt", "security_socket_setsockopt",
	 struct socket *sock, int level, int option)
{
	struct sock *sk = sock->sk;

	if (!(level == SOL_IP && option == IP_OPTIONS) &&
	    !(level == SOL_IPV6 && (option == IPV6_RTHDR || option == IPV6_2292PKTOPTIONS ||
				    option == IPV6_FLOWLABEL_MGR)))
		return 0;
	if (!sk || !tyr_is_internet(sk->__sk_common.skc_family))
		return 0;
	return tyr_decide_anywhere(TYR_HOOK_SOCKET_SETSOCKOPT, sk->sk_protocol);
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
	endpoint->port = port;
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

/* Any other socket can reach any address. */
TYR_HOOK(socket_create, "socket_create", "security_socket_create", int family, int type,
	 int protocol, int kern)
{
	if (kern || tyr_socket_is_plain(family, type, protocol))
		return 0;
	return tyr_decide_anywhere(TYR_HOOK_SOCKET_CREATE, protocol);
}

// tries: makes a socket that reaches every address and of which no connect tells
// target: self
// who: root
// allowed: no
// event: *any?address:*
// action: net_connect
// variants: raw raw-six raw-header packet packet-datagram vsock uring sctp xdp

#include "net.h"
#include "uring.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif

int main(int argc, char **argv)
{
	begin(argc, argv);
	if (is("raw"))
		STEP(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	else if (is("raw-six"))
		STEP(socket(AF_INET6, SOCK_RAW, IPPROTO_UDP));
	else if (is("raw-header"))
		STEP(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	else if (is("packet"))
		STEP(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	else if (is("packet-datagram"))
		STEP(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
	else if (is("vsock"))
		STEP(socket(AF_VSOCK, SOCK_STREAM, 0));
	else if (is("sctp"))
		STEP(socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP));
	else if (is("xdp"))
		STEP(socket(AF_XDP, SOCK_RAW, 0));
	else {
		struct ring ring = ring_open(0);
		struct io_uring_sqe entry = { .opcode = IORING_OP_SOCKET, .fd = AF_INET,
					      .off = SOCK_RAW, .len = IPPROTO_UDP };

		ring_do(&ring, entry, "socket");
	}
	done();
}

/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The rtap authors
 */

/* Frames: what the application sends, and what the kernel's sender sends. */

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/virtio_net.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "kperf.h"

#define SEND_BATCH 64

/*
 * Flows that frames belong to in turns. With several queues there are many, so that the kernel's
 * hash gives to all queues alike.
 */
#define FLOWS_FEW 64
#define FLOWS_MANY 1024
#define FRAMES_SIZE (FLOWS_FEW * RTE_CACHE_LINE_ROUNDUP(KPERF_FRAME_MAX))

struct frame_headers {
	struct rte_ether_hdr eth;
	struct rte_ipv4_hdr ip;
	union {
		struct rte_udp_hdr udp;
		struct rte_tcp_hdr tcp;
	};
} __rte_packed;

/*
 * From the application to the interface, or from there to the application: only a port number
 * differs. UDP without a checksum, which IPv4 allows, so that nobody computes one.
 */
void
frame_write(uint8_t *data, const struct port *port, unsigned int flow)
{
	const struct params *params = port->params;
	struct frame_headers h = {0};
	uint16_t l4_len = params->len - sizeof(h.eth) - sizeof(h.ip);

	memset(data, 0x5a, params->len);
	h.eth.dst_addr = port->mac;
	h.eth.src_addr = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, 1 } };
	if (params->to == TO_NOBODY && !params->gso && flow == 0) {
		h.eth.ether_type = rte_cpu_to_be_16(KPERF_ETHERTYPE);
		memcpy(data, &h.eth, sizeof(h.eth));
		return;
	}
	h.eth.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	h.ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(params->len - sizeof(h.eth)),
		.time_to_live = 64,
		.next_proto_id = params->gso ? IPPROTO_TCP : IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(port->addr + 1),
		.dst_addr = rte_cpu_to_be_32(port->addr),
	};
	h.ip.hdr_checksum = rte_ipv4_cksum(&h.ip);
	if (params->gso) {
		h.tcp.src_port = rte_cpu_to_be_16(1024 + flow);
		h.tcp.dst_port = rte_cpu_to_be_16(9);
		h.tcp.data_off = sizeof(h.tcp) / 4 << 4;
		h.tcp.tcp_flags = RTE_TCP_ACK_FLAG;
		h.tcp.cksum = rte_ipv4_phdr_cksum(&h.ip, 0);
	} else {
		h.udp.src_port = rte_cpu_to_be_16(1024 + flow);
		h.udp.dst_port = rte_cpu_to_be_16(9);
		h.udp.dgram_len = rte_cpu_to_be_16(l4_len);
	}
	/* The kernel looks at the flow and drops what is for somebody else. */
	if (params->to == TO_OTHER)
		h.eth.dst_addr.addr_bytes[5] ^= 0x55;
	memcpy(data, &h, params->gso ? sizeof(h) : sizeof(h) - sizeof(h.tcp) + sizeof(h.udp));
}

void
frame_set_flow(uint8_t *data, unsigned int flow)
{
	rte_be16_t src_port = rte_cpu_to_be_16(1024 + flow);

	memcpy(data + offsetof(struct frame_headers, udp), &src_port, sizeof(src_port));
}

/*
 * The kernel's sender. Frames always are IPv4 here, for their flows, and written once: what is
 * measured is not how they are made.
 */

static uint8_t frames[FRAMES_SIZE];
static unsigned int nb_flows;
static size_t stride;

void
kernel_prepare(const struct port *port)
{
	unsigned int i;

	nb_flows = port->params->queues > 1 ? FLOWS_MANY : FLOWS_FEW;
	stride = RTE_CACHE_LINE_ROUNDUP(port->params->len);
	if (nb_flows * stride > sizeof(frames))
		die("%u flows of %u bytes are too many", nb_flows, port->params->len);
	for (i = 0; i < nb_flows; i++)
		frame_write(frames + i * stride, port, 1 + i);
}

/* What a packet socket wants to know of a frame that is not segmented */
static const struct virtio_net_hdr gso_hdr = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.gso_size = 1448,
	.hdr_len = KPERF_HEADERS,
	.csum_start = KPERF_HEADERS - sizeof(struct rte_tcp_hdr),
	.csum_offset = offsetof(struct rte_tcp_hdr, cksum),
};

unsigned int
kernel_send_counted(const struct port *port, int packet_sock, unsigned int n, uint64_t *refused)
{
	const struct params *params = port->params;
	struct virtio_net_hdr hdr = gso_hdr;
	struct mmsghdr msgs[SEND_BATCH];
	struct iovec iovs[SEND_BATCH][2];
	unsigned int done = 0, flow = 0, i;
	int ret;

	memset(msgs, 0, sizeof(msgs));
	while (done < n) {
		unsigned int batch = RTE_MIN((unsigned int)SEND_BATCH, n - done);

		for (i = 0; i < batch; i++) {
			iovs[i][0] = (struct iovec){ &hdr, sizeof(hdr) };
			iovs[i][1] = (struct iovec){ frames + flow * stride, params->len };
			msgs[i].msg_hdr.msg_iov = params->gso ? iovs[i] : &iovs[i][1];
			msgs[i].msg_hdr.msg_iovlen = params->gso ? 2 : 1;
			flow = flow + 1 < nb_flows ? flow + 1 : 0;
		}
		ret = sendmmsg(packet_sock, msgs, batch, 0);
		if (ret < 0 && errno != ENOBUFS && errno != EINTR)
			die("%s: sending %u bytes: %s", port->ifname, params->len, strerror(errno));
		/* It ends with the first that fails, of which only this tells. */
		if (ret < (int)batch && (ret >= 0 || errno != EINTR))
			(*refused)++;
		if (ret <= 0)
			break;
		done += ret;
	}
	return done;
}

unsigned int
kernel_send(const struct port *port, int packet_sock, unsigned int n)
{
	uint64_t refused = 0;

	return kernel_send_counted(port, packet_sock, n, &refused);
}

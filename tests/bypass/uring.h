/* io_uring by its three system calls: one ring, one operation at a time. */
#ifndef URING_H
#define URING_H

#include "attack.h"
#include <linux/io_uring.h>
#include <sys/mman.h>

enum { RING_ENTRIES = 4 };

struct ring {
	int fd;
	unsigned int flags;
	unsigned char *submissions, *completions;
	struct io_uring_params parameters;
	struct io_uring_sqe *entries;
};

#define RING_AT(base, offset) ((unsigned int *)((base) + (offset)))

/* `flags`: IORING_SETUP_SQPOLL gives the work to a thread of the kernel. */
static inline struct ring ring_open(unsigned int flags)
{
	struct ring ring = { .flags = flags, .parameters = { .flags = flags, .sq_thread_idle = 2000 } };
	size_t length;

	ring.fd = STEP(syscall(SYS_io_uring_setup, RING_ENTRIES, &ring.parameters));
	length = ring.parameters.sq_off.array + RING_ENTRIES * sizeof(unsigned int);
	ring.submissions = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
				IORING_OFF_SQ_RING);
	length = ring.parameters.cq_off.cqes +
		 ring.parameters.cq_entries * sizeof(struct io_uring_cqe);
	ring.completions = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
				IORING_OFF_CQ_RING);
	ring.entries = mmap(NULL, ring.parameters.sq_entries * sizeof(struct io_uring_sqe),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd, IORING_OFF_SQES);
	if (ring.submissions == MAP_FAILED || ring.completions == MAP_FAILED || ring.entries == MAP_FAILED)
		broken("cannot map the ring");
	return ring;
}

/* The operation's result, or less than 0 for an error, which is in errno then. */
static inline int ring_result(struct ring *ring, struct io_uring_sqe entry)
{
	struct io_sqring_offsets *submit = &ring->parameters.sq_off;
	struct io_cqring_offsets *complete = &ring->parameters.cq_off;
	unsigned int *tail = RING_AT(ring->submissions, submit->tail);
	unsigned int *head = RING_AT(ring->completions, complete->head);
	unsigned int slot = *tail & *RING_AT(ring->submissions, submit->ring_mask);
	struct io_uring_cqe *done;
	unsigned int flags = IORING_ENTER_GETEVENTS;

	ring->entries[slot] = entry;
	RING_AT(ring->submissions, submit->array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_SEQ_CST);
	if (ring->flags & IORING_SETUP_SQPOLL &&
	    __atomic_load_n(RING_AT(ring->submissions, submit->flags), __ATOMIC_SEQ_CST) &
		    IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	STEP(syscall(SYS_io_uring_enter, ring->fd, 1, 1, flags, NULL, 0));
	if (*head == __atomic_load_n(RING_AT(ring->completions, complete->tail), __ATOMIC_SEQ_CST))
		broken("no completion");
	done = (struct io_uring_cqe *)(ring->completions + complete->cqes);
	done += *head & *RING_AT(ring->completions, complete->ring_mask);
	__atomic_store_n(head, *head + 1, __ATOMIC_SEQ_CST);
	if (done->res < 0)
		errno = -done->res;
	return done->res;
}

/* An error ends the attack. */
static inline int ring_do(struct ring *ring, struct io_uring_sqe entry, const char *what)
{
	int result = ring_result(ring, entry);

	if (result < 0)
		denied_with(errno, what);
	return result;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For kernels with KCOV alone, included before all else in what
 * tests/trust/lane_fuzz looks at; no file of the suite includes it.
 *
 * Each error number that a function refuses with reports itself as covered. The
 * compiler merges all returns of a function into one, and coverage of its own
 * could not tell which of the checks have been tried.
 */
#ifndef _LINUX_ALINK_REFUSAL_H
#define _LINUX_ALINK_REFUSAL_H

#include <linux/errno.h>
#include <linux/kcov.h>

/* The line keeps two of them from being merged as equal. */
#define ALINK_REFUSAL(error) ({						\
	__sanitizer_cov_trace_pc();					\
	asm volatile("# refusal %c0" : : "i" (__LINE__));		\
	error;								\
})

#undef E2BIG
#define E2BIG	ALINK_REFUSAL(7)
#undef EACCES
#define EACCES	ALINK_REFUSAL(13)
#undef EADDRNOTAVAIL
#define EADDRNOTAVAIL	ALINK_REFUSAL(99)
#undef EAGAIN
#define EAGAIN	ALINK_REFUSAL(11)
#undef EALREADY
#define EALREADY	ALINK_REFUSAL(114)
#undef EBADMSG
#define EBADMSG	ALINK_REFUSAL(74)
#undef EBUSY
#define EBUSY	ALINK_REFUSAL(16)
#undef ECANCELED
#define ECANCELED	ALINK_REFUSAL(125)
#undef EEXIST
#define EEXIST	ALINK_REFUSAL(17)
#undef EFAULT
#define EFAULT	ALINK_REFUSAL(14)
#undef EHOSTDOWN
#define EHOSTDOWN	ALINK_REFUSAL(112)
#undef EHOSTUNREACH
#define EHOSTUNREACH	ALINK_REFUSAL(113)
#undef EHWPOISON
#define EHWPOISON	ALINK_REFUSAL(133)
#undef EINTR
#define EINTR	ALINK_REFUSAL(4)
#undef EINVAL
#define EINVAL	ALINK_REFUSAL(22)
#undef EIO
#define EIO	ALINK_REFUSAL(5)
#undef EKEYREJECTED
#define EKEYREJECTED	ALINK_REFUSAL(129)
#undef EMSGSIZE
#define EMSGSIZE	ALINK_REFUSAL(90)
#undef ENAMETOOLONG
#define ENAMETOOLONG	ALINK_REFUSAL(36)
#undef ENETDOWN
#define ENETDOWN	ALINK_REFUSAL(100)
#undef ENODATA
#define ENODATA	ALINK_REFUSAL(61)
#undef ENODEV
#define ENODEV	ALINK_REFUSAL(19)
#undef ENOENT
#define ENOENT	ALINK_REFUSAL(2)
#undef ENOMEM
#define ENOMEM	ALINK_REFUSAL(12)
#undef ENOSPC
#define ENOSPC	ALINK_REFUSAL(28)
#undef EOPNOTSUPP
#define EOPNOTSUPP	ALINK_REFUSAL(95)
#undef EPERM
#define EPERM	ALINK_REFUSAL(1)
#undef EPROTO
#define EPROTO	ALINK_REFUSAL(71)
#undef EPROTONOSUPPORT
#define EPROTONOSUPPORT	ALINK_REFUSAL(93)
#undef ERANGE
#define ERANGE	ALINK_REFUSAL(34)
#undef ESRCH
#define ESRCH	ALINK_REFUSAL(3)
#undef ETIME
#define ETIME	ALINK_REFUSAL(62)
#undef ETIMEDOUT
#define ETIMEDOUT	ALINK_REFUSAL(110)
#undef EXDEV
#define EXDEV	ALINK_REFUSAL(18)

#endif

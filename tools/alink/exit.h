/* SPDX-License-Identifier: GPL-2.0-only */
/* How commands of this folder and its neighbours end. */
#ifndef ALINK_EXIT_H
#define ALINK_EXIT_H

#include <errno.h>

/* Exit codes; part of the interface, see Documentation/admin-guide/alink.rst */
enum alink_exit {
	EXIT_OK			= 0,
	EXIT_FAILED		= 1,
	EXIT_USAGE		= 2,
	EXIT_UNSUPPORTED	= 3,
	EXIT_PERMISSION		= 4,
	EXIT_NO_OBJECT		= 6,
	EXIT_NO_DRIVER		= 9,
	EXIT_LOST		= 15,
};

/* The exit code for a negative errno of the library. */
static inline int exit_for(int err)
{
	switch (err) {
	case 0:
		return EXIT_OK;
	case -EACCES:
	case -EPERM:
		return EXIT_PERMISSION;
	case -ENOPROTOOPT:
		return EXIT_NO_DRIVER;
	case -ENOENT:
		return EXIT_NO_OBJECT;
	case -ENODEV:
		return EXIT_LOST;
	case -EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}

#endif /* ALINK_EXIT_H */

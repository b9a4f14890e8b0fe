/* SPDX-License-Identifier: GPL-2.0-only */
/* Where alinkfmd and alink fm meet. */
#ifndef FM_SOCKET_H
#define FM_SOCKET_H

#define FM_SOCKET	"/run/alink/fm.sock"

#endif /* FM_SOCKET_H */

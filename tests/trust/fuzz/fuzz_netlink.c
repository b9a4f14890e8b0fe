// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes netlink: all requests of family alink as its specification lists them,
 * and what devlink and ethtool pass on to our drivers. The device that a request
 * is for is one of ours more often than not; the rest are attributes.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/devlink.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "fuzz_lib.h"
#include "fuzz_calls.h"

#define MAX_NAMES	64
#define MAX_DEVS	32
#define MAX_ATTRS	8
#define MAX_ANSWERS	16
#define MAX_IMAGES	4
#define IMAGE_SIZE	8192
#define NS_PER_S	1000000000ULL
/* Resets get one part of so many of the time, */
#define RESET_SHARE	16
/* and take longer than this; what is refused does not. */
#define RESET_MIN_NS	(NS_PER_S / 20)

/* First byte of a call: the kind in the upper two bits */
enum { KIND_ALINK, KIND_DEVLINK, KIND_ETHTOOL, KIND_OTHER };

static struct {
	uint8_t data[8192];
	unsigned int size;
} msg;

static int sock = -1;
static uint16_t alink_id, devlink_id, ethtool_id;
static uint32_t devs[MAX_DEVS];
static unsigned int num_devs;
static char pci[MAX_NAMES][32], net[MAX_NAMES][32];
static unsigned int num_pci, num_net;

/* Good images of firmware, and where the kernel looks for them */
static struct {
	uint8_t data[IMAGE_SIZE];
	unsigned int size;
} images[MAX_IMAGES];
static unsigned int num_images;
static const char *firmware;

/* What a reset takes from the fabric this command gives back. */
static const char *restore;
static bool reset_always;
static uint64_t start_ns, reset_ns;

/* --- messages --------------------------------------------------------------- */

static void add(const void *data, unsigned int size)
{
	unsigned int room = (size + 3) & ~3U;

	if (msg.size + room > sizeof(msg.data))
		return;
	memset(msg.data + msg.size, 0, room);
	memcpy(msg.data + msg.size, data, size);
	msg.size += room;
}

static void attr(unsigned int type, const void *data, unsigned int size)
{
	struct nlattr a = { .nla_len = sizeof(a) + size, .nla_type = type };

	add(&a, sizeof(a));
	add(data, size);
}

static void attr_text(unsigned int type, const char *text)
{
	attr(type, text, strlen(text) + 1);
}

static void begin(uint16_t family, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr n = {
		.nlmsg_type = family,
		.nlmsg_flags = NLM_F_REQUEST | flags,
		.nlmsg_seq = 1,
	};
	struct genlmsghdr g = { .cmd = cmd, .version = 1 };

	msg.size = 0;
	add(&n, sizeof(n));
	add(&g, sizeof(g));
}

static void reopen(void)
{
	if (sock >= 0)
		close(sock);
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (sock < 0) {
		perror("netlink");
		exit(3);
	}
}

static int answer(void *data, unsigned int size)
{
	return recv(sock, data, size, MSG_DONTWAIT);
}

static void transmit(void)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	static uint8_t data[32768];
	unsigned int i;

	((struct nlmsghdr *)msg.data)->nlmsg_len = msg.size;
	sendto(sock, msg.data, msg.size, MSG_DONTWAIT, (void *)&to, sizeof(to));
	for (i = 0; i < MAX_ANSWERS && answer(data, sizeof(data)) > 0; i++)
		;
	/* The rest of a long dump is left, as a program that dies leaves it. */
	if (i == MAX_ANSWERS)
		reopen();
}

/* --- attributes ------------------------------------------------------------- */

static bool is(const char *name, const char *other)
{
	return !strcmp(name, other);
}

static uint64_t sense(const char *name, uint8_t c)
{
	if (is(name, "dev-index") || is(name, "index"))
		return num_devs ? devs[c % num_devs] : 0;
	if (is(name, "link"))
		return c % 9;
	if (is(name, "id"))
		return pick(c, 1, 2, 3, 0, 63, 64, 255);
	if (is(name, "key"))
		return pick(c, 77, 0, 1);
	if (is(name, "min-ports"))
		return c % 5;
	return c % 4;
}

static void fuzz_words(struct fuzz_in *in, unsigned int type)
{
	uint32_t words[64];
	unsigned int i, n = pick(take(in), 2, 1, 3, 4, 0, 8, 64);
	uint8_t c;

	for (i = 0; i < n; i++) {
		c = take(in);
		words[i] = c < FUZZ_SPECIAL ? i + c : special(in, c, i);
	}
	attr(type, words, n * sizeof(words[0]));
}

/* Any attribute: bytes, words, a text, or a nest of such */
static void fuzz_any(struct fuzz_in *in, unsigned int depth)
{
	unsigned int type = take(in), at, n;
	uint8_t c = take(in), raw[64];
	struct nlattr a = {};
	uint64_t value;

	switch (c % 8) {
	case 0:
		value = take(in);
		attr(type, &value, 4);
		break;
	case 1:
		value = special(in, take(in), 1);
		attr(type, &value, 8);
		break;
	case 2:
		value = take(in);
		attr(type, &value, 1);
		break;
	case 3:
		attr(type, NULL, 0);
		break;
	case 4:
		n = take(in) % sizeof(raw);
		for (at = 0; at < n; at++)
			raw[at] = take(in);
		attr(type, raw, n);
		break;
	case 5:
		attr_text(type, num_net ? net[take(in) % num_net] : "");
		break;
	case 6:
		value = take_n(in, 4);
		attr(type, &value, 4);
		break;
	default:
		at = msg.size;
		add(&a, sizeof(a));
		for (n = take(in) % 4; n && depth < 4; n--)
			fuzz_any(in, depth + 1);
		a.nla_len = msg.size - at;
		a.nla_type = type | NLA_F_NESTED;
		memcpy(msg.data + at, &a, sizeof(a));
	}
}

static void fuzz_attr(struct fuzz_in *in, const struct fuzz_attr *a)
{
	bool wide = is(a->type, "u64");
	uint8_t c = take(in);
	uint64_t value = sense(a->name, c);

	if (c >= 0xf0) {
		/* Not there, of a wrong size, nested, twice */
		switch (c % 4) {
		case 0:
			return;
		case 1:
			attr(a->number, &value, take(in) % 9);
			return;
		case 2:
			attr(a->number | NLA_F_NESTED, &value, 4);
			return;
		default:
			attr(a->number, &value, wide ? 8 : 4);
		}
	}
	if (is(a->type, "binary")) {
		fuzz_words(in, a->number);
		return;
	}
	if (c >= FUZZ_SPECIAL)
		value = special(in, take(in), value);
	attr(a->number, &value, wide ? 8 : 4);
}

/* --- calls ------------------------------------------------------------------ */

static void call_alink(struct fuzz_in *in, unsigned int n)
{
	const struct fuzz_request *r =
		&fuzz_requests[n % ARRAY_SIZE(fuzz_requests)];
	unsigned int i;

	begin(alink_id, r->cmd, r->dump ? NLM_F_DUMP : NLM_F_ACK);
	for (i = 0; i < r->num_attrs; i++)
		fuzz_attr(in, &r->attrs[i]);
	transmit();
}

/* Attributes that any command may have, after those that name a device */
static void any_attrs(struct fuzz_in *in)
{
	unsigned int n = take(in) % MAX_ATTRS;

	while (n--)
		fuzz_any(in, 0);
}

/* The name of a file that is a good image, but for some bytes or its end */
static void fuzz_image(struct fuzz_in *in)
{
	uint8_t data[IMAGE_SIZE];
	unsigned int n, size;
	char path[128];
	FILE *f;

	if (!num_images)
		return;
	n = take(in) % num_images;
	size = images[n].size;
	memcpy(data, images[n].data, size);
	for (n = take(in) % 4; n; n--)
		data[take(in) % size] ^= take(in);
	n = take(in);
	if (n >= FUZZ_SPECIAL)
		size = take_n(in, 2) % (size + 1);
	snprintf(path, sizeof(path), "%s/fuzz.img", firmware);
	f = fopen(path, "we");
	if (!f)
		return;
	fwrite(data, 1, size, f);
	fclose(f);
	attr_text(DEVLINK_ATTR_FLASH_UPDATE_FILE_NAME, "fuzz.img");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/*
 * A reset takes as long as thousands of other calls, and reaches so much that
 * inputs with one in them would soon be all that there are.
 */
static bool reset_is_due(void)
{
	return reset_always ||
	       reset_ns * RESET_SHARE <= now_ns() - start_ns;
}

static void transmit_reload(void)
{
	uint64_t begun = now_ns();

	transmit();
	/* Other calls may have left a fabric that cannot be: no reason to end. */
	if (restore && now_ns() - begun > RESET_MIN_NS)
		(void)!system(restore);
	reset_ns += now_ns() - begun;
}

static void call_devlink(struct fuzz_in *in)
{
	uint8_t cmd = take(in) % (DEVLINK_CMD_MAX + 1), c = take(in), action;
	bool reload = cmd == DEVLINK_CMD_RELOAD;
	uint32_t port;

	if (reload && !reset_is_due())
		cmd = DEVLINK_CMD_INFO_GET;
	begin(devlink_id, cmd, c & 128 ? NLM_F_DUMP : NLM_F_ACK);
	attr_text(DEVLINK_ATTR_BUS_NAME, "pci");
	attr_text(DEVLINK_ATTR_DEV_NAME, num_pci ? pci[c % 64 % num_pci] : "");
	c = take(in);
	if (c < FUZZ_SPECIAL) {
		port = c;
		attr(DEVLINK_ATTR_PORT_INDEX, &port, sizeof(port));
	}
	if (cmd == DEVLINK_CMD_FLASH_UPDATE)
		fuzz_image(in);
	if (reload) {
		/* Taken in any case: what follows is to mean the same. */
		action = take(in);
		if (action < FUZZ_SPECIAL)
			action = DEVLINK_RELOAD_ACTION_FW_ACTIVATE;
	}
	if (cmd == DEVLINK_CMD_RELOAD)
		attr(DEVLINK_ATTR_RELOAD_ACTION, &action, sizeof(action));
	any_attrs(in);
	if (cmd == DEVLINK_CMD_RELOAD)
		transmit_reload();
	else
		transmit();
}

static void call_ethtool(struct fuzz_in *in)
{
	uint8_t cmd = take(in) % (ETHTOOL_MSG_USER_MAX + 1), c = take(in);
	struct nlattr head = {};
	unsigned int at;

	begin(ethtool_id, cmd, c & 128 ? NLM_F_DUMP : NLM_F_ACK);
	at = msg.size;
	add(&head, sizeof(head));
	/* In all requests the header is attribute 1. */
	attr_text(ETHTOOL_A_HEADER_DEV_NAME,
		  num_net ? net[c % 64 % num_net] : "");
	if (c & 64) {
		uint32_t flags = take(in) % 8;

		attr(ETHTOOL_A_HEADER_FLAGS, &flags, sizeof(flags));
	}
	head.nla_len = msg.size - at;
	head.nla_type = 1 | NLA_F_NESTED;
	memcpy(msg.data + at, &head, sizeof(head));
	any_attrs(in);
	transmit();
}

static void call_other(struct fuzz_in *in, unsigned int n)
{
	switch (n % 4) {
	case 0:
		reopen();
		break;
	case 1:
		/* Any command of ours, any attributes */
		begin(alink_id, take(in), take(in) % 2 ? NLM_F_DUMP : NLM_F_ACK);
		any_attrs(in);
		transmit();
		break;
	case 2:
		/* Cut off, or with a header that lies */
		begin(alink_id, take(in), NLM_F_ACK);
		any_attrs(in);
		msg.data[take(in) % msg.size] ^= take(in);
		msg.size -= take(in) % msg.size % 16;
		transmit();
		break;
	default:
		/* A dump of which nothing is read: closed while it is under way */
		begin(alink_id, fuzz_requests[take(in) %
		      ARRAY_SIZE(fuzz_requests)].cmd, NLM_F_DUMP);
		((struct nlmsghdr *)msg.data)->nlmsg_len = msg.size;
		send(sock, msg.data, msg.size, MSG_DONTWAIT);
		reopen();
	}
}

/* --- libFuzzer -------------------------------------------------------------- */

static uint16_t family(const char *name)
{
	uint8_t data[8192];
	int size, at = NLMSG_HDRLEN + GENL_HDRLEN;
	struct nlattr a;

	begin(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	attr_text(CTRL_ATTR_FAMILY_NAME, name);
	((struct nlmsghdr *)msg.data)->nlmsg_len = msg.size;
	send(sock, msg.data, msg.size, 0);
	size = recv(sock, data, sizeof(data), 0);
	while (at + (int)sizeof(a) <= size) {
		memcpy(&a, data + at, sizeof(a));
		if (a.nla_type == CTRL_ATTR_FAMILY_ID)
			return data[at + 4] | data[at + 5] << 8;
		if (!a.nla_len)
			break;
		at += (a.nla_len + 3) & ~3;
	}
	fprintf(stderr, "no family %s\n", name);
	exit(3);
}

/* Words of a variable: what guest_fuzz.py found */
static unsigned int words(const char *name, char to[][32])
{
	const char *text = getenv(name);
	char *copy = strdup(text ? text : ""), *word, *save = NULL;
	unsigned int n = 0;

	for (word = strtok_r(copy, " ", &save); word && n < MAX_NAMES;
	     word = strtok_r(NULL, " ", &save))
		snprintf(to[n++], 32, "%s", word);
	free(copy);
	return n;
}

/* The images that guest_fuzz.py left in the folder */
static void load_images(void)
{
	static const char * const names[] = { "xpu", "switch", "nic" };
	char path[128];
	unsigned int i;
	FILE *f;

	firmware = getenv("FUZZ_FIRMWARE");
	for (i = 0; firmware && i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s.img", firmware, names[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		images[num_images].size = fread(images[num_images].data, 1,
						IMAGE_SIZE, f);
		num_images += images[num_images].size > 0;
		fclose(f);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char index[MAX_NAMES][32];
	unsigned int i;

	(void)argc;
	(void)argv;
	reopen();
	alink_id = family("alink");
	devlink_id = family("devlink");
	ethtool_id = family("ethtool");
	num_pci = words("FUZZ_PCI", pci);
	num_net = words("FUZZ_NET", net);
	num_devs = words("FUZZ_DEVS", index);
	if (num_devs > MAX_DEVS)
		num_devs = MAX_DEVS;
	for (i = 0; i < num_devs; i++)
		devs[i] = strtoul(index[i], NULL, 10);
	load_images();
	restore = getenv("FUZZ_RESTORE");
	reset_always = getenv("FUZZ_RESETS");
	start_ns = now_ns();
	fuzz_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	unsigned int call;

	fuzz_begin(data, size);
	while (in.at < in.end && fuzz_call()) {
		call = take(&in);
		switch (call >> 6) {
		case KIND_ALINK:
			call_alink(&in, call);
			break;
		case KIND_DEVLINK:
			call_devlink(&in);
			break;
		case KIND_ETHTOOL:
			call_ethtool(&in);
			break;
		default:
			call_other(&in, call);
		}
	}
	fuzz_end();
	return 0;
}

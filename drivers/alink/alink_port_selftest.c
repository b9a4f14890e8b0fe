// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool -t on links. Online: registers, interrupt and admin queue of the
 * device. Offline also, and then the link is down for both ends: frames and a
 * test pattern that the port sends to itself.
 *
 * The offline tests hear nothing of what is outside, so that they tell a bad
 * port from a bad cable, and pass on a port that is closed or has no partner.
 */
#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/iopoll.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/unaligned.h>

#include "alink_port.h"

enum {
	ALINK_TEST_REGISTERS,
	ALINK_TEST_INTERRUPT,
	ALINK_TEST_ADMIN,
	ALINK_TEST_LOOPBACK,
	ALINK_TEST_PRBS,
	ALINK_NUM_TESTS,
};

static const char alink_port_tests[ALINK_NUM_TESTS][ETH_GSTRING_LEN] = {
	[ALINK_TEST_REGISTERS]	= "Register test    (online)",
	[ALINK_TEST_INTERRUPT]	= "Interrupt test   (online)",
	[ALINK_TEST_ADMIN]	= "Admin queue test (online)",
	[ALINK_TEST_LOOPBACK]	= "Loop-back test  (offline)",
	[ALINK_TEST_PRBS]	= "PRBS test       (offline)",
};

int alink_port_test_count(void)
{
	return ALINK_NUM_TESTS;
}

void alink_port_test_strings(u8 *data)
{
	unsigned int i;

	for (i = 0; i < ALINK_NUM_TESTS; i++)
		ethtool_puts(&data, alink_port_tests[i]);
}

/* --- the link under test --------------------------------------------------- */

#define ALINK_CTRL_TESTS \
	(ALINK_LINK_CTRL_LOOPBACK | ALINK_LINK_CTRL_PRBS)

/* From one test to the next the link stays down. */
static int alink_port_test_begin(struct alink_port *port, u32 how)
{
	u32 reason;

	alink_port_set_ctrl(port, ALINK_CTRL_TESTS & ~how,
			    ALINK_LINK_CTRL_ENABLE | how);
	reason = alink_port_rd32(port, ALINK_LINK_REASON);
	if (!alink_dev_active(port->adev))
		return -ENODEV;
	/* Else frames would go to the other end. */
	return reason == ALINK_DOWN_TEST ? 0 : -EOPNOTSUPP;
}

static void alink_port_test_end(struct alink_port *port)
{
	alink_port_set_ctrl(port, ALINK_CTRL_TESTS |
			    (port->admin_down ? ALINK_LINK_CTRL_ENABLE : 0), 0);
}

/* --- loop-back ------------------------------------------------------------- */

#define ALINK_LOOP_TIMEOUT	(2 * HZ)
#define ALINK_LOOP_HDR		(ETH_HLEN + sizeof(__be32))

/**
 * struct alink_loop - one frame on its way back
 * @back:	completed when it is there
 * @cookie:	tells it from frames of others
 * @len:	its length
 * @result:	valid with @back: 0, or -EBADMSG when it has changed
 */
struct alink_loop {
	struct completion back;
	u32 cookie;
	unsigned int len;
	int result;
};

static u8 alink_loop_byte(const struct alink_loop *loop, unsigned int i)
{
	return loop->cookie + 7 * i;
}

/**
 * alink_port_loop_rx - a frame came in by a port that has a loop
 * @loop:	the loop
 * @data:	the frame
 * @len:	its length, not to be trusted but within the buffer
 *
 * Context: NAPI.
 */
void alink_port_loop_rx(struct alink_loop *loop, const u8 *data,
			unsigned int len)
{
	unsigned int i;

	if (len < ALINK_LOOP_HDR ||
	    get_unaligned_be32(data + ETH_HLEN) != loop->cookie)
		return;
	loop->result = len == loop->len ? 0 : -EBADMSG;
	for (i = ALINK_LOOP_HDR; !loop->result && i < len; i++)
		if (data[i] != alink_loop_byte(loop, i))
			loop->result = -EBADMSG;
	complete(&loop->back);
}

static int alink_port_loop_tx(struct alink_port *port,
			      const struct alink_loop *loop)
{
	struct sk_buff *skb;
	struct ethhdr *eth;
	unsigned int i;
	u8 *data;
	int err;

	skb = alloc_skb(loop->len, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	data = skb_put(skb, loop->len);
	eth = (struct ethhdr *)data;
	ether_addr_copy(eth->h_dest, port->netdev->dev_addr);
	ether_addr_copy(eth->h_source, port->netdev->dev_addr);
	eth->h_proto = htons(ETH_P_802_EX1);
	put_unaligned_be32(loop->cookie, data + ETH_HLEN);
	for (i = ALINK_LOOP_HDR; i < loop->len; i++)
		data[i] = alink_loop_byte(loop, i);
	skb->dev = port->netdev;

	err = alink_frames_send(port, skb);
	if (err)
		kfree_skb(skb);
	return err;
}

static int alink_port_loop_one(struct alink_port *port, unsigned int len)
{
	struct alink_loop loop = {
		.back = COMPLETION_INITIALIZER_ONSTACK(loop.back),
		.cookie = get_random_u32(),
		.len = len,
	};
	int err;

	ASSERT_RTNL();
	rcu_assign_pointer(port->loop, &loop);
	err = alink_port_loop_tx(port, &loop);
	if (!err && !wait_for_completion_timeout(&loop.back,
						 ALINK_LOOP_TIMEOUT))
		err = -ETIMEDOUT;
	RCU_INIT_POINTER(port->loop, NULL);
	/* NAPI may be looking at it, and it is on our stack. */
	synchronize_net();
	return err ?: loop.result;
}

static int alink_port_test_loopback(struct alink_port *port)
{
	static const unsigned int lens[] = { 60, 1514, ALINK_FRAME_MAX };
	unsigned int i;
	int err;

	err = alink_port_test_begin(port, ALINK_LINK_CTRL_LOOPBACK);
	for (i = 0; i < ARRAY_SIZE(lens) && !err; i++) {
		err = alink_port_loop_one(port, lens[i]);
		if (err)
			netdev_err(port->netdev, "loop-back of %u bytes: %pe\n",
				   lens[i], ERR_PTR(err));
	}
	return err;
}

/* --- test pattern ---------------------------------------------------------- */

/* In 2.5 ms at 400 Gb/s */
#define ALINK_PRBS_BITS		(1000ULL * 1000 * 1000)
#define ALINK_PRBS_TIMEOUT_US	USEC_PER_SEC

static int alink_port_test_prbs(struct alink_port *port)
{
	const u32 window = ALINK_LINK_WINDOW(port->num);
	u32 lanes, want = port->lanes < 32 ? BIT(port->lanes) - 1 : ~0U;
	u64 bits, errors;
	int err;

	err = alink_port_test_begin(port, ALINK_CTRL_TESTS);
	if (err)
		return err;
	/* All ones, of a device that has gone, are enough bits, too. */
	err = read_poll_timeout(alink_rd64, bits, bits >= ALINK_PRBS_BITS,
				USEC_PER_MSEC, ALINK_PRBS_TIMEOUT_US, false,
				port->adev, window + ALINK_LINK_PRBS_BITS);
	lanes = alink_port_rd32(port, ALINK_LINK_PRBS_LANES);
	errors = alink_rd64(port->adev, window + ALINK_LINK_PRBS_ERRORS);
	if (!alink_dev_active(port->adev))
		err = -ENODEV;
	else if (!err && (lanes != want || errors))
		err = -EIO;
	if (err)
		netdev_err(port->netdev, "PRBS: %llu of %llu bits wrong, lanes %#x of %#x: %pe\n",
			   errors, bits, lanes, want, ERR_PTR(err));
	return err;
}

/* --- ethtool --------------------------------------------------------------- */

static void alink_port_test_result(struct ethtool_test *test, u64 *data,
				   unsigned int n, int err)
{
	data[n] = -err;
	if (err)
		test->flags |= ETH_TEST_FL_FAILED;
}

void alink_port_self_test(struct net_device *netdev, struct ethtool_test *test,
			  u64 *data)
{
	struct alink_port *port = alink_port_of(netdev);
	struct alink_dev *adev = port->adev;

	/* Keeps two tests from using the one test register, and resets away. */
	ASSERT_RTNL();

	memset(data, 0, ALINK_NUM_TESTS * sizeof(*data));
	alink_port_test_result(test, data, ALINK_TEST_REGISTERS,
			       alink_selftest_value(adev));
	alink_port_test_result(test, data, ALINK_TEST_INTERRUPT,
			       alink_selftest_irq_used(adev));
	alink_port_test_result(test, data, ALINK_TEST_ADMIN,
			       alink_admin_exec(adev, ALINK_ADMIN_NOP, NULL, 0,
						NULL, 0, NULL, NULL));
	if (!(test->flags & ETH_TEST_FL_OFFLINE))
		return;
	alink_port_test_result(test, data, ALINK_TEST_LOOPBACK,
			       alink_port_test_loopback(port));
	alink_port_test_result(test, data, ALINK_TEST_PRBS,
			       alink_port_test_prbs(port));
	alink_port_test_end(port);
}

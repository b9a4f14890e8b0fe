// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links of an xPU and ports of a switch as netdevs: life cycle, carrier and
 * administrative state.
 *
 * The fabric carries memory traffic whether or not anybody cares for its
 * netdevs, so links are enabled when the driver takes the device over. Setting
 * a netdev up enables its link, setting it down after that disables it, and
 * both ends see that. See Documentation/decisions/link-admin-state.md.
 */
#include <linux/etherdevice.h>
#include <linux/export.h>
#include <linux/jhash.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "alink_port.h"

/*
 * Netdevs that go under one hold of rtnl: as many as keep others from it for no
 * longer than this. Below the least, what all of a batch wait for would be most
 * of its time, and the way to the end would be long.
 */
#define ALINK_PORTS_HOLD_US	45000
#define ALINK_PORTS_BATCH	16U
#define ALINK_PORTS_BATCH_MIN	8U
#define ALINK_PORTS_BATCH_MAX	64U

void alink_port_set_ctrl(struct alink_port *port, u32 clear, u32 set)
{
	u32 ctrl;

	ASSERT_RTNL();
	if (alink_read32(port->adev, ALINK_LINK_WINDOW(port->num) +
			 ALINK_LINK_CTRL, &ctrl))
		return;
	alink_port_wr32(port, ALINK_LINK_CTRL, (ctrl & ~clear) | set);
}

/* Carrier follows the register, so that it is right even if events get lost. */
static void alink_port_update_carrier(struct alink_port *port)
{
	lockdep_assert_held(&port->adev->event_lock);

	if (alink_port_rd32(port, ALINK_LINK_STATE) == ALINK_LINK_UP)
		netif_carrier_on(port->netdev);
	else
		netif_carrier_off(port->netdev);
}

static int alink_port_open(struct net_device *netdev)
{
	struct alink_port *port = alink_port_of(netdev);

	if (alink_dev_lost(port->adev))
		return -ENODEV;
	port->admin_down = false;
	alink_port_update_power(port);
	alink_port_set_ctrl(port, 0, ALINK_LINK_CTRL_ENABLE);
	netif_start_queue(netdev);
	return 0;
}

static int alink_port_stop(struct net_device *netdev)
{
	struct alink_port *port = alink_port_of(netdev);

	netif_stop_queue(netdev);
	/* The netdev goes because the driver does: the link stays. */
	if (port->removing)
		return 0;
	port->admin_down = true;
	alink_port_set_ctrl(port, ALINK_LINK_CTRL_ENABLE, 0);
	alink_port_update_power(port);
	return 0;
}

static int alink_port_get_phys_port_name(struct net_device *netdev,
					 char *name, size_t len)
{
	struct alink_port *port = alink_port_of(netdev);
	int n;

	/* With a devlink port the network core makes the name from that. */
	if (port->devlink)
		return -EOPNOTSUPP;
	n = snprintf(name, len, "p%u", port->num);
	return n < len ? 0 : -EINVAL;
}

static const struct net_device_ops alink_port_netdev_ops = {
	.ndo_open		= alink_port_open,
	.ndo_stop		= alink_port_stop,
	.ndo_start_xmit		= alink_frames_xmit,
	.ndo_get_stats64	= alink_port_get_stats64,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_get_phys_port_name	= alink_port_get_phys_port_name,
};

/*
 * The contract gives ports no address: one is made from the serial number,
 * the same at each boot. 30 bits of hash, 10 bits of port.
 */
static void alink_port_set_addr(struct alink_port *port)
{
	const struct alink_dev *adev = port->adev;
	u8 addr[ETH_ALEN];
	u64 bits;
	u32 hash;

	hash = jhash_3words(lower_32_bits(adev->serial),
			    upper_32_bits(adev->serial),
			    adev->ops->devtype, 0);
	bits = ((u64)(hash & GENMASK(29, 0)) << 10) | port->num;
	addr[0] = 0x02;
	addr[1] = bits >> 32;
	addr[2] = bits >> 24;
	addr[3] = bits >> 16;
	addr[4] = bits >> 8;
	addr[5] = bits;
	eth_hw_addr_set(port->netdev, addr);
}

/*
 * A link window is a port and has one other end; there are as many as the chip
 * has ports, and none to give to a part of one. So no port is splittable, which
 * devlink says by itself when there is somebody to ask.
 */
static int alink_port_split(struct devlink *devlink, struct devlink_port *port,
			    unsigned int count, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "Port cannot be split: there is no link window for a part");
	return -EOPNOTSUPP;
}

static int alink_port_unsplit(struct devlink *devlink,
			      struct devlink_port *port,
			      struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "Port is not split");
	return -EINVAL;
}

static const struct devlink_port_ops alink_port_devlink_ops = {
	.port_split	= alink_port_split,
	.port_unsplit	= alink_port_unsplit,
};

static int alink_port_create_devlink(struct alink_port *port, bool populated)
{
	struct devlink_port_attrs attrs = {
		.flavour = populated ? DEVLINK_PORT_FLAVOUR_PHYSICAL :
				       DEVLINK_PORT_FLAVOUR_UNUSED,
		.phys.port_number = port->num,
		.lanes = port->lanes,
	};

	devlink_port_attrs_set(&port->dl_port, &attrs);
	return devl_port_register_with_ops(port->devlink, &port->dl_port,
					   port->num, &alink_port_devlink_ops);
}

static int alink_port_create_netdev(struct alink_port *port)
{
	struct alink_dev *adev = port->adev;
	struct alink_netdev_priv *priv;
	struct net_device *netdev;
	char name[IFNAMSIZ];
	int err;

	if (snprintf(name, sizeof(name), "%sp%u", adev->name, port->num) >=
	    sizeof(name))
		return -ENAMETOOLONG;
	netdev = alloc_netdev(sizeof(*priv), name, NET_NAME_ENUM, ether_setup);
	if (!netdev)
		return -ENOMEM;
	priv = netdev_priv(netdev);
	priv->port = port;
	port->netdev = netdev;

	/* All ports share a ring, and its lock is not for hard interrupts. */
	netdev->priv_flags |= IFF_DISABLE_NETPOLL;
	SET_NETDEV_DEV(netdev, &adev->pdev->dev);
	if (port->devlink)
		SET_NETDEV_DEVLINK_PORT(netdev, &port->dl_port);
	netdev->netdev_ops = &alink_port_netdev_ops;
	netdev->ethtool_ops = &alink_port_ethtool_ops;
	netdev->dev_port = port->num;
	netdev->min_mtu = ETH_MIN_MTU;
	netdev->max_mtu = ALINK_FRAME_MAX - ETH_HLEN;
	alink_port_set_addr(port);
	netif_carrier_off(netdev);

	err = register_netdev(netdev);
	if (err) {
		pci_err(adev->pdev, "netdev %s: %pe\n", name, ERR_PTR(err));
		port->netdev = NULL;
		free_netdev(netdev);
	}
	return err;
}

/* Returns for how long it held rtnl, in microseconds. */
static s64 alink_ports_unregister_batch(struct alink_port **ports,
					unsigned int n)
{
	LIST_HEAD(netdevs);
	unsigned int i;
	ktime_t start;
	s64 held;

	rtnl_lock();
	start = ktime_get();
	for (i = 0; i < n; i++) {
		ports[i]->removing = true;
		if (ports[i]->netdev)
			unregister_netdevice_queue(ports[i]->netdev, &netdevs);
	}
	unregister_netdevice_many(&netdevs);
	held = ktime_us_delta(ktime_get(), start);
	rtnl_unlock();
	return held;
}

/*
 * The network core waits once for all netdevs of a batch, not for each, and
 * everybody else who wants rtnl waits for a batch. What a netdev costs depends
 * on the machine, and on what users have put on it.
 */
static void alink_ports_unregister(struct alink_port **ports, unsigned int n)
{
	unsigned int batch = ALINK_PORTS_BATCH, num;
	s64 held;

	for (; n; ports += num, n -= num) {
		num = min(n, batch);
		held = alink_ports_unregister_batch(ports, num);
		if (held > ALINK_PORTS_HOLD_US)
			batch = max(batch / 2, ALINK_PORTS_BATCH_MIN);
		else if (held < ALINK_PORTS_HOLD_US / 3)
			batch = min(batch * 2, ALINK_PORTS_BATCH_MAX);
	}
}

static void alink_ports_free(struct alink_port **ports, unsigned int n)
{
	unsigned int i;

	alink_ports_unregister(ports, n);
	for (i = 0; i < n; i++) {
		if (ports[i]->netdev)
			free_netdev(ports[i]->netdev);
		if (ports[i]->devlink)
			devl_port_unregister(&ports[i]->dl_port);
		kfree(ports[i]);
	}
	kfree(ports);
}

static struct alink_port *alink_port_create(struct alink_dev *adev,
					    struct devlink *devlink,
					    unsigned int num)
{
	struct alink_port *port;
	bool populated;
	u32 state;
	int err;

	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return ERR_PTR(-ENOMEM);
	port->adev = adev;
	port->num = num;

	state = alink_port_rd32(port, ALINK_LINK_STATE);
	port->lanes = alink_port_rd32(port, ALINK_LINK_LANES) >> 16;
	if (alink_dev_lost(adev)) {
		err = -ENODEV;
		goto err_free;
	}
	populated = state != ALINK_LINK_ABSENT;

	if (devlink) {
		port->devlink = devlink;
		err = alink_port_create_devlink(port, populated);
		if (err)
			goto err_free;
	}
	if (populated) {
		alink_port_wr32(port, ALINK_LINK_CTRL, ALINK_LINK_CTRL_ENABLE);
		alink_port_wr32(port, ALINK_LINK_FEC_CTRL, 0);
		alink_port_write_flap(port);
		err = alink_port_create_netdev(port);
		if (err)
			goto err_devlink;
	}
	return port;

err_devlink:
	if (devlink)
		devl_port_unregister(&port->dl_port);
err_free:
	kfree(port);
	return ERR_PTR(err);
}

/* Who looks at the ports holds one of the two locks. */
static void alink_ports_publish(struct alink_dev *adev,
				struct alink_port **ports)
{
	rtnl_lock();
	mutex_lock(&adev->event_lock);
	adev->ports = ports;
	mutex_unlock(&adev->event_lock);
	rtnl_unlock();

	/* A register of each port is read: others need not wait for that. */
	mutex_lock(&adev->event_lock);
	alink_ports_resync(adev);
	mutex_unlock(&adev->event_lock);
}

/**
 * alink_ports_create - show the links of a device
 * @adev:	device, not yet registered
 * @devlink:	instance for devlink ports, or NULL; its lock is held
 *
 * Makes a netdev for each populated link window, named like xpu0p3 or sw0p17,
 * and starts the rings for link-level frames.
 *
 * Context: process; sleeps, takes rtnl.
 * Return: 0 or -errno, then nothing is left.
 */
int alink_ports_create(struct alink_dev *adev, struct devlink *devlink)
{
	struct alink_port **ports, *port;
	unsigned int i;
	int err;

	if (devlink)
		devl_assert_locked(devlink);
	if (!adev->num_links)
		return 0;

	ports = kcalloc(adev->num_links, sizeof(*ports), GFP_KERNEL);
	if (!ports)
		return -ENOMEM;

	alink_flap_init(adev);
	err = alink_frames_create(adev);
	if (err)
		goto err_free;

	for (i = 0; i < adev->num_links; i++) {
		port = alink_port_create(adev, devlink, i);
		if (IS_ERR(port)) {
			err = PTR_ERR(port);
			goto err_destroy;
		}
		ports[i] = port;
	}

	/* From here on events and frames find them. */
	alink_ports_publish(adev, ports);

	mutex_lock(&adev->state_lock);
	err = alink_frames_start(adev);
	mutex_unlock(&adev->state_lock);
	if (err) {
		alink_ports_destroy(adev);
		return err;
	}
	return 0;

err_destroy:
	alink_ports_free(ports, i);
	alink_frames_destroy(adev);
	return err;
err_free:
	kfree(ports);
	return err;
}
EXPORT_SYMBOL_GPL(alink_ports_create);

/**
 * alink_ports_destroy - undo alink_ports_create()
 * @adev:	device, unregistered; the lock of its devlink instance is held
 *
 * Links keep their administrative state.
 *
 * Context: process; sleeps, takes rtnl.
 */
void alink_ports_destroy(struct alink_dev *adev)
{
	struct alink_port **ports = adev->ports;

	if (!ports)
		return;

	mutex_lock(&adev->state_lock);
	alink_frames_stop(adev);
	mutex_unlock(&adev->state_lock);
	alink_ports_publish(adev, NULL);

	alink_ports_free(ports, adev->num_links);
	alink_frames_destroy(adev);
}
EXPORT_SYMBOL_GPL(alink_ports_destroy);

/**
 * alink_port_netdev - netdev of a link
 * @adev:	device
 * @n:		number of the link
 *
 * Return: the netdev, valid until alink_ports_destroy(); NULL when the link is
 * not populated or does not exist.
 */
struct net_device *alink_port_netdev(struct alink_dev *adev, unsigned int n)
{
	if (!adev->ports || n >= adev->num_links)
		return NULL;
	return adev->ports[n]->netdev;
}
EXPORT_SYMBOL_GPL(alink_port_netdev);

/* A LINK event. A flap shorter than our way here still shows as a flap. */
void alink_port_event(struct alink_dev *adev, const struct alink_event *event)
{
	u32 num = le32_to_cpu(event->id);
	struct alink_port *port;

	lockdep_assert_held(&adev->event_lock);

	if (!adev->ports || num >= adev->num_links)
		return;
	port = adev->ports[num];
	if (!port->netdev)
		return;
	if (!event->code)
		netif_carrier_off(port->netdev);
	alink_port_update_carrier(port);
}

/* Events were lost, or the device was reset: all carriers anew. */
void alink_ports_resync(struct alink_dev *adev)
{
	unsigned int i;

	lockdep_assert_held(&adev->event_lock);

	for (i = 0; adev->ports && i < adev->num_links; i++)
		if (adev->ports[i]->netdev)
			alink_port_update_carrier(adev->ports[i]);
}

/* Before a reset, and after loss: nobody above may use the netdevs. */
void alink_ports_detach(struct alink_dev *adev)
{
	unsigned int i;

	rtnl_lock();
	for (i = 0; adev->ports && i < adev->num_links; i++) {
		if (!adev->ports[i]->netdev)
			continue;
		netif_device_detach(adev->ports[i]->netdev);
		netif_carrier_off(adev->ports[i]->netdev);
	}
	rtnl_unlock();
}

/*
 * After a reset, which enables all links, puts lights out and leaves FEC to the
 * device: closed ones are closed again, FEC and the limit of flaps are what they
 * were set to, and somebody may still look for a light.
 */
void alink_ports_attach(struct alink_dev *adev)
{
	struct alink_port *port;
	unsigned int i;

	rtnl_lock();
	for (i = 0; adev->ports && i < adev->num_links; i++) {
		port = adev->ports[i];
		if (!port->netdev)
			continue;
		if (port->admin_down)
			alink_port_set_ctrl(port, ALINK_LINK_CTRL_ENABLE, 0);
		if (port->identify)
			alink_port_set_ctrl(port, 0, ALINK_LINK_CTRL_IDENTIFY);
		if (port->fec)
			alink_port_wr32(port, ALINK_LINK_FEC_CTRL, port->fec);
		if (adev->flap.limit)
			alink_port_write_flap(port);
		netif_device_attach(port->netdev);
	}
	rtnl_unlock();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink: the physical port, and the health of the queues. Information, flash
 * and reload come from alink.ko.
 */
#include <linux/rtnetlink.h>
#include <net/devlink.h>

#include "alink_nic.h"

/* The device may be well, and the port not: no memory for its queues. */
static int alink_nic_reload_up(struct devlink *devlink,
			       enum devlink_reload_action action,
			       enum devlink_reload_limit limit,
			       u32 *actions_performed,
			       struct netlink_ext_ack *extack)
{
	struct alink_devlink *common = devlink_priv(devlink);
	struct alink_nic *nic = alink_dev_priv(common->adev);
	int err;

	err = alink_devlink_reload_up(devlink, action, limit,
				      actions_performed, extack);
	if (err || netif_device_present(nic->dev))
		return err;
	NL_SET_ERR_MSG(extack, "Port did not start after the reset");
	return -EIO;
}

static const struct devlink_ops alink_nic_devlink_ops = {
	.info_get = alink_devlink_info_get,
	.flash_update = alink_devlink_flash_update,
	.reload_actions = ALINK_DEVLINK_RELOAD_ACTIONS,
	.reload_down = alink_devlink_reload_down,
	.reload_up = alink_nic_reload_up,
};

/* --- health of the queues ------------------------------------------------- */

static void alink_nic_fmsg_queue(struct alink_nic_qp *q,
				 struct devlink_fmsg *fmsg)
{
	struct alink_dev *adev = q->nic->adev;
	u32 base = ALINK_NIC_QUEUE(q->id, 0);

	devlink_fmsg_obj_nest_start(fmsg);
	devlink_fmsg_u32_pair_put(fmsg, "queue", q->id);
	devlink_fmsg_u32_pair_put(fmsg, "device_state",
				  alink_rd32(adev, base + ALINK_NIC_Q_STATE));
	devlink_fmsg_u32_pair_put(fmsg, "tx_size", q->tx_size);
	devlink_fmsg_u32_pair_put(fmsg, "tx_tail", READ_ONCE(q->tx_tail));
	devlink_fmsg_u32_pair_put(fmsg, "tx_clean", READ_ONCE(q->tx_clean));
	devlink_fmsg_u32_pair_put(fmsg, "device_tx_head",
				  alink_rd32(adev,
					     base + ALINK_NIC_Q_TX_HEAD));
	devlink_fmsg_bool_pair_put(fmsg, "tx_stopped",
				   netif_tx_queue_stopped(alink_nic_txq(q)));
	devlink_fmsg_u32_pair_put(fmsg, "rx_size", q->rx_size);
	devlink_fmsg_u32_pair_put(fmsg, "rx_tail", READ_ONCE(q->rx_tail));
	devlink_fmsg_u32_pair_put(fmsg, "rx_head", READ_ONCE(q->rx_head));
	devlink_fmsg_u32_pair_put(fmsg, "device_rx_head",
				  alink_rd32(adev,
					     base + ALINK_NIC_Q_RX_HEAD));
	devlink_fmsg_bool_pair_put(fmsg, "rx_starved",
				   READ_ONCE(q->rx_starved));
	devlink_fmsg_obj_nest_end(fmsg);
}

static int alink_nic_health_diagnose(struct devlink_health_reporter *reporter,
				     struct devlink_fmsg *fmsg,
				     struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = devlink_health_reporter_priv(reporter);
	unsigned int i;

	rtnl_lock();
	devlink_fmsg_bool_pair_put(fmsg, "started", nic->started);
	devlink_fmsg_u32_pair_put(fmsg, "tx_timeouts",
				  atomic_read(&nic->tx_timeouts));
	devlink_fmsg_u32_pair_put(fmsg, "restarts", nic->restarts);
	devlink_fmsg_arr_pair_nest_start(fmsg, "queues");
	for (i = 0; nic->started && i < nic->set->num; i++)
		alink_nic_fmsg_queue(&nic->set->qp[i], fmsg);
	devlink_fmsg_arr_pair_nest_end(fmsg);
	rtnl_unlock();
	return 0;
}

/* What is worth keeping of the moment is what a diagnosis shows. */
static int alink_nic_health_dump(struct devlink_health_reporter *reporter,
				 struct devlink_fmsg *fmsg, void *priv_ctx,
				 struct netlink_ext_ack *extack)
{
	return alink_nic_health_diagnose(reporter, fmsg, extack);
}

static int alink_nic_health_recover(struct devlink_health_reporter *reporter,
				    void *priv_ctx,
				    struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = devlink_health_reporter_priv(reporter);
	int err;

	rtnl_lock();
	err = alink_nic_restart(nic);
	rtnl_unlock();
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "Queues did not restart");
	return err;
}

static int alink_nic_health_test(struct devlink_health_reporter *reporter,
				 struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = devlink_health_reporter_priv(reporter);

	/* Not from here: the report takes the lock that the caller holds. */
	schedule_work(&nic->reset_work);
	return 0;
}

static const struct devlink_health_reporter_ops alink_nic_health_ops = {
	.name = "queues",
	.recover = alink_nic_health_recover,
	.diagnose = alink_nic_health_diagnose,
	.dump = alink_nic_health_dump,
	.test = alink_nic_health_test,
};

/*
 * Queues are stuck or broken: the reporter restarts them, unless the
 * administrator told it not to. From reset_work, without locks.
 */
void alink_nic_health_report(struct alink_nic *nic)
{
	/*
	 * During a flash devlink would recover after it, minutes later. Whether
	 * the administrator wants that at all only devlink knows: a port that
	 * works is the better guess.
	 */
	if (!READ_ONCE(nic->reporting) || alink_flash_running(nic->adev)) {
		rtnl_lock();
		alink_nic_restart(nic);
		rtnl_unlock();
		return;
	}
	/*
	 * Queues that run are over what there was before, by a reset or by hand:
	 * devlink recovers from nothing else while it remembers that.
	 */
	if (READ_ONCE(nic->started))
		devlink_health_reporter_state_update(nic->reporter,
						     DEVLINK_HEALTH_REPORTER_STATE_HEALTHY);
	devlink_health_report(nic->reporter, "queues stuck or broken", nic);
}

/* --- life ----------------------------------------------------------------- */

/* Instance, port and reporter; nothing is visible before the register step. */
int alink_nic_devlink_init(struct alink_nic *nic)
{
	struct devlink_port_attrs attrs = {
		.flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL,
	};
	__be64 serial = cpu_to_be64(alink_dev_serial(nic->adev));
	struct alink_devlink *priv;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&alink_nic_devlink_ops, sizeof(*priv),
				&nic->pdev->dev);
	if (!devlink)
		return -ENOMEM;
	priv = devlink_priv(devlink);
	priv->adev = nic->adev;
	nic->devlink = devlink;

	memcpy(attrs.switch_id.id, &serial, sizeof(serial));
	attrs.switch_id.id_len = sizeof(serial);
	devlink_port_attrs_set(&nic->dl_port, &attrs);
	err = devlink_port_register(devlink, &nic->dl_port, 0);
	if (err)
		goto err_free;
	SET_NETDEV_DEVLINK_PORT(nic->dev, &nic->dl_port);

	nic->reporter = devlink_health_reporter_create(devlink,
						       &alink_nic_health_ops,
						       0, nic);
	if (IS_ERR(nic->reporter)) {
		err = PTR_ERR(nic->reporter);
		goto err_port;
	}
	devl_lock(devlink);
	err = alink_devlink_common_register(devlink);
	devl_unlock(devlink);
	if (err)
		goto err_reporter;
	return 0;

err_reporter:
	devlink_health_reporter_destroy(nic->reporter);
err_port:
	devlink_port_unregister(&nic->dl_port);
err_free:
	devlink_free(devlink);
	return err;
}

void alink_nic_devlink_register(struct alink_nic *nic)
{
	devlink_register(nic->devlink);
	WRITE_ONCE(nic->reporting, true);
}

/* devlink wants no reports from an instance that is not registered. */
void alink_nic_devlink_unregister(struct alink_nic *nic)
{
	/* First: the others wait for the lock that a flash holds. */
	alink_flash_stop(nic->adev);
	WRITE_ONCE(nic->reporting, false);
	cancel_work_sync(&nic->reset_work);
	devlink_unregister(nic->devlink);
}

void alink_nic_devlink_fini(struct alink_nic *nic)
{
	devl_lock(nic->devlink);
	alink_devlink_common_unregister(nic->devlink);
	devl_unlock(nic->devlink);
	devlink_health_reporter_destroy(nic->reporter);
	devlink_port_unregister(&nic->dl_port);
	devlink_free(nic->devlink);
}

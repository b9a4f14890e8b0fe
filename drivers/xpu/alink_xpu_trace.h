/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of alink_xpu.ko. The kernel takes no part in the submission of
 * users' work: doorbells are theirs. So there is none for that; see
 * Documentation/decisions/submission-traces.md. What the kernel submits itself
 * is traced, and the interrupts and fences by which it learns of others' work.
 *
 * dev is the PCI function, as in all other traces; queue the hardware id, 0 for
 * none.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM alink_xpu

#if !defined(ALINK_XPU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define ALINK_XPU_TRACE_H

#include <linux/tracepoint.h>

#include "alink_xpu_drv.h"

TRACE_DEFINE_ENUM(XPU_ACTIVE);
TRACE_DEFINE_ENUM(XPU_RESETTING);
TRACE_DEFINE_ENUM(XPU_FAILED);
TRACE_DEFINE_ENUM(XPU_STOPPING);
TRACE_DEFINE_ENUM(XPU_GONE);
TRACE_DEFINE_ENUM(ALINK_RECOVERY_NONE);
TRACE_DEFINE_ENUM(ALINK_RECOVERY_RETRY);
TRACE_DEFINE_ENUM(ALINK_RECOVERY_CONTEXT);
TRACE_DEFINE_ENUM(ALINK_RECOVERY_DEVICE);
TRACE_DEFINE_ENUM(ALINK_RECOVERY_REPLACE);
TRACE_DEFINE_ENUM(DRM_ALINK_XPU_VM_BIND_MAP);
TRACE_DEFINE_ENUM(DRM_ALINK_XPU_VM_BIND_UNMAP);
TRACE_DEFINE_ENUM(DRM_ALINK_XPU_VM_BIND_MAP_USER);
TRACE_DEFINE_ENUM(ALINK_XPU_OP_COPY);
TRACE_DEFINE_ENUM(ALINK_XPU_OP_FILL);

#define xpu_show_state(state) \
	__print_symbolic(state, \
			 { XPU_ACTIVE,		"active" }, \
			 { XPU_RESETTING,	"resetting" }, \
			 { XPU_FAILED,		"failed" }, \
			 { XPU_STOPPING,	"stopping" }, \
			 { XPU_GONE,		"gone" })

#define xpu_show_recovery(recovery) \
	__print_symbolic(recovery, \
			 { ALINK_RECOVERY_NONE,		"none" }, \
			 { ALINK_RECOVERY_RETRY,	"retry" }, \
			 { ALINK_RECOVERY_CONTEXT,	"context reset" }, \
			 { ALINK_RECOVERY_DEVICE,	"device reset" }, \
			 { ALINK_RECOVERY_REPLACE,	"replace" })

#define xpu_show_bind_op(op) \
	__print_symbolic(op, \
			 { DRM_ALINK_XPU_VM_BIND_MAP,	"map" }, \
			 { DRM_ALINK_XPU_VM_BIND_UNMAP,	"unmap" }, \
			 { DRM_ALINK_XPU_VM_BIND_MAP_USER, "map-user" })

/* Those of the kernel's queue */
#define xpu_show_opcode(opcode) \
	__print_symbolic(opcode, \
			 { ALINK_XPU_OP_COPY,	"copy" }, \
			 { ALINK_XPU_OP_FILL,	"fill" })

TRACE_EVENT(alink_xpu_state,
	    TP_PROTO(struct xpu_device *xdev),
	    TP_ARGS(xdev),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(int, state)
			     __field(u64, generation)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->state = xdev->state;
			   __entry->generation = xdev->generation;),
	    TP_printk("dev=%s state=%s generation=%llu",
		      __get_str(dev), xpu_show_state(__entry->state),
		      __entry->generation)
);

TRACE_EVENT(alink_xpu_fault,
	    TP_PROTO(struct xpu_device *xdev, u32 code, u32 unit, u64 addr,
		     u32 recovery),
	    TP_ARGS(xdev, code, unit, addr, recovery),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u32, code)
			     __field(u32, unit)
			     __field(u64, addr)
			     __field(u32, recovery)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->code = code;
			   __entry->unit = unit;
			   __entry->addr = addr;
			   __entry->recovery = recovery;),
	    TP_printk("dev=%s code=%u:%u unit=%u addr=%#llx recovery=%s",
		      __get_str(dev), __entry->code / 256, __entry->code % 256,
		      __entry->unit, __entry->addr,
		      xpu_show_recovery(__entry->recovery))
);

TRACE_EVENT(alink_xpu_queue_create,
	    TP_PROTO(struct xpu_queue *q,
		     const struct drm_alink_xpu_queue_create *args),
	    TP_ARGS(q, args),
	    TP_STRUCT__entry(__string(dev, dev_name(q->xdev->drm.dev))
			     __field(u32, queue)
			     __field(u32, ctx)
			     __field(u64, ring)
			     __field(u32, size)
			     __field(u32, priority)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q->hw_id;
			   __entry->ctx = q->vm->ctx;
			   __entry->ring = args->ring;
			   __entry->size = args->size;
			   __entry->priority = args->priority;),
	    TP_printk("dev=%s queue=%u ctx=%u ring=%#llx size=%u priority=%u",
		      __get_str(dev), __entry->queue, __entry->ctx, __entry->ring,
		      __entry->size, __entry->priority)
);

TRACE_EVENT(alink_xpu_queue_destroy,
	    TP_PROTO(struct xpu_queue *q),
	    TP_ARGS(q),
	    TP_STRUCT__entry(__string(dev, dev_name(q->xdev->drm.dev))
			     __field(u32, queue)
			     __field(u32, ctx)
			     __field(u64, busy_ns)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q->hw_id;
			   __entry->ctx = q->vm->ctx;
			   __entry->busy_ns = atomic64_read(&q->busy_ns) +
					      atomic64_read(&q->compute_ns);),
	    TP_printk("dev=%s queue=%u ctx=%u busy=%llu ns",
		      __get_str(dev), __entry->queue, __entry->ctx,
		      __entry->busy_ns)
);

TRACE_EVENT(alink_xpu_queue_halt,
	    TP_PROTO(struct xpu_queue *q,
		     const struct drm_alink_xpu_queue_error *error),
	    TP_ARGS(q, error),
	    TP_STRUCT__entry(__string(dev, dev_name(q->xdev->drm.dev))
			     __field(u32, queue)
			     __field(u32, status)
			     __field(u32, index)
			     __field(u64, addr)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q->hw_id;
			   __entry->status = error->status;
			   __entry->index = error->index;
			   __entry->addr = error->addr;),
	    TP_printk("dev=%s queue=%u status=%u index=%u addr=%#llx",
		      __get_str(dev), __entry->queue, __entry->status,
		      __entry->index, __entry->addr)
);

/* A queue was stuck; recovery says what ended it, "none" that it was over */
TRACE_EVENT(alink_xpu_queue_hang,
	    TP_PROTO(struct xpu_queue *q,
		     const struct drm_alink_xpu_queue_error *error,
		     u32 progress, u32 recovery),
	    TP_ARGS(q, error, progress, recovery),
	    TP_STRUCT__entry(__string(dev, dev_name(q->xdev->drm.dev))
			     __field(u32, queue)
			     __field(u32, ctx)
			     __field(u32, index)
			     __field(u64, addr)
			     __field(u32, progress)
			     __field(u32, recovery)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q->hw_id;
			   __entry->ctx = q->vm->ctx;
			   __entry->index = error->index;
			   __entry->addr = error->addr;
			   __entry->progress = progress;
			   __entry->recovery = recovery;),
	    TP_printk("dev=%s queue=%u ctx=%u index=%u addr=%#llx progress=%u recovery=%s",
		      __get_str(dev), __entry->queue, __entry->ctx,
		      __entry->index, __entry->addr, __entry->progress,
		      xpu_show_recovery(__entry->recovery))
);

TRACE_EVENT(alink_xpu_bind,
	    TP_PROTO(struct xpu_vm *vm, const struct drm_alink_xpu_vm_bind_op *op,
		     int err),
	    TP_ARGS(vm, op, err),
	    TP_STRUCT__entry(__string(dev, dev_name(vm->xdev->drm.dev))
			     __field(u32, ctx)
			     __field(u32, op)
			     __field(u64, addr)
			     __field(u64, range)
			     __field(u32, rights)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->ctx = vm->ctx;
			   __entry->op = op->op;
			   __entry->addr = op->addr;
			   __entry->range = op->range;
			   __entry->rights = op->flags;
			   __entry->err = err;),
	    TP_printk("dev=%s ctx=%u %s addr=%#llx range=%#llx rights=%#x err=%d",
		      __get_str(dev), __entry->ctx, xpu_show_bind_op(__entry->op),
		      __entry->addr, __entry->range, __entry->rights, __entry->err)
);

/* A queue stood still for memory of a process; err says why it halts */
TRACE_EVENT(alink_xpu_user_fault,
	    TP_PROTO(struct xpu_queue *q, u64 addr, u32 rights, int err),
	    TP_ARGS(q, addr, rights, err),
	    TP_STRUCT__entry(__string(dev, dev_name(q->xdev->drm.dev))
			     __field(u32, queue)
			     __field(u32, ctx)
			     __field(u64, addr)
			     __field(u32, rights)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q->hw_id;
			   __entry->ctx = q->vm->ctx;
			   __entry->addr = addr;
			   __entry->rights = rights;
			   __entry->err = err;),
	    TP_printk("dev=%s queue=%u ctx=%u addr=%#llx rights=%#x err=%d",
		      __get_str(dev), __entry->queue, __entry->ctx,
		      __entry->addr, __entry->rights, __entry->err)
);

/* Memory of a process was taken from the device */
TRACE_EVENT(alink_xpu_user_zap,
	    TP_PROTO(struct xpu_vm *vm, u64 addr, u64 range),
	    TP_ARGS(vm, addr, range),
	    TP_STRUCT__entry(__string(dev, dev_name(vm->xdev->drm.dev))
			     __field(u32, ctx)
			     __field(u64, addr)
			     __field(u64, range)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->ctx = vm->ctx;
			   __entry->addr = addr;
			   __entry->range = range;),
	    TP_printk("dev=%s ctx=%u addr=%#llx range=%#llx", __get_str(dev),
		      __entry->ctx, __entry->addr, __entry->range)
);

/* HBM of an object moves to system memory; err says why it stays */
TRACE_EVENT(alink_xpu_evict,
	    TP_PROTO(struct xpu_device *xdev, u64 size, int err),
	    TP_ARGS(xdev, size, err),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u64, size)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->size = size;
			   __entry->err = err;),
	    TP_printk("dev=%s size=%#llx err=%d", __get_str(dev), __entry->size,
		      __entry->err)
);

/* An object that was evicted moves back, for a queue or for the kernel */
TRACE_EVENT(alink_xpu_restore,
	    TP_PROTO(struct xpu_device *xdev, u32 queue, u64 size, int err),
	    TP_ARGS(xdev, queue, size, err),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u32, queue)
			     __field(u64, size)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = queue;
			   __entry->size = size;
			   __entry->err = err;),
	    TP_printk("dev=%s queue=%u size=%#llx err=%d", __get_str(dev),
		      __entry->queue, __entry->size, __entry->err)
);

DECLARE_EVENT_CLASS(alink_xpu_fence,
		    TP_PROTO(struct xpu_device *xdev, struct xpu_queue *q, u64 value,
			     int err),
		    TP_ARGS(xdev, q, value, err),
		    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
				     __field(u32, queue)
				     __field(u64, value)
				     __field(int, err)),
		    TP_fast_assign(__assign_str(dev);
				   __entry->queue = q ? q->hw_id : 0;
				   __entry->value = value;
				   __entry->err = err;),
		    TP_printk("dev=%s queue=%u value=%#llx err=%d",
			      __get_str(dev), __entry->queue, __entry->value, __entry->err)
);

/* The kernel's queue gets a command: it is about to ring */
TRACE_EVENT(alink_xpu_kq_submit,
	    TP_PROTO(struct xpu_device *xdev, u64 seq,
		     const struct alink_xpu_desc *desc),
	    TP_ARGS(xdev, seq, desc),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u64, seq)
			     __field(u32, opcode)
			     __field(u64, dst)
			     __field(u64, src)
			     __field(u64, len)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->seq = seq;
			   __entry->opcode = desc->opcode;
			   __entry->dst = le64_to_cpu(desc->dst);
			   __entry->src = le64_to_cpu(desc->src);
			   __entry->len = le64_to_cpu(desc->len);),
	    TP_printk("dev=%s seq=%llu %s dst=%#llx src=%#llx len=%#llx",
		      __get_str(dev), __entry->seq,
		      xpu_show_opcode(__entry->opcode), __entry->dst,
		      __entry->src, __entry->len)
);

/* That command is done, or given up */
TRACE_EVENT(alink_xpu_kq_complete,
	    TP_PROTO(struct xpu_device *xdev, u64 seq, int err),
	    TP_ARGS(xdev, seq, err),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u64, seq)
			     __field(int, err)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->seq = seq;
			   __entry->err = err;),
	    TP_printk("dev=%s seq=%llu err=%d", __get_str(dev), __entry->seq,
		      __entry->err)
);

/* A queue that has this vector has got on, or halted */
TRACE_EVENT(alink_xpu_irq,
	    TP_PROTO(struct xpu_device *xdev, unsigned int vector),
	    TP_ARGS(xdev, vector),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(unsigned int, vector)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->vector = vector;),
	    TP_printk("dev=%s vector=%u", __get_str(dev), __entry->vector)
);

/* FENCE_SYNCOBJ has made a kernel fence that follows memory */
TRACE_EVENT(alink_xpu_fence_create,
	    TP_PROTO(struct xpu_device *xdev, struct xpu_queue *q, u64 value,
		     u32 timeout_ms),
	    TP_ARGS(xdev, q, value, timeout_ms),
	    TP_STRUCT__entry(__string(dev, dev_name(xdev->drm.dev))
			     __field(u32, queue)
			     __field(u64, value)
			     __field(u32, timeout_ms)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = q ? q->hw_id : 0;
			   __entry->value = value;
			   __entry->timeout_ms = timeout_ms;),
	    TP_printk("dev=%s queue=%u value=%#llx timeout=%u ms",
		      __get_str(dev), __entry->queue, __entry->value,
		      __entry->timeout_ms)
);

/* WAIT_FENCE returns */
DEFINE_EVENT(alink_xpu_fence, alink_xpu_fence_wait,
	     TP_PROTO(struct xpu_device *xdev, struct xpu_queue *q, u64 value,
		      int err),
	     TP_ARGS(xdev, q, value, err)
);

/* A kernel fence that follows memory, see FENCE_SYNCOBJ, is signalled */
DEFINE_EVENT(alink_xpu_fence, alink_xpu_fence_signal,
	     TP_PROTO(struct xpu_device *xdev, struct xpu_queue *q, u64 value,
		      int err),
	     TP_ARGS(xdev, q, value, err)
);

#endif /* ALINK_XPU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE alink_xpu_trace
#include <trace/define_trace.h>

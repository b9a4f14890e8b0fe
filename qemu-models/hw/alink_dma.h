/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bulk DMA of ALink devices: translate and map under the BQL, copy on a
 * worker thread without it, complete under it, on the same thread.
 *
 * An AlinkSg is a list of pieces of memory: guest memory by DMA address, and
 * host memory (HBM). Guest RAM is mapped; what is not RAM (a register of
 * another device) goes through a private bounce buffer, filled when the piece
 * is added and written back with its result checked at release, so that a
 * worker never touches MMIO. dma_memory_map() itself would hide both an
 * address that the IOMMU refuses and a failed write-back.
 *
 * Work runs in the order submitted per AlinkWorkQueue, one at a time; several
 * queues share at most two threads of the process (the arithmetic of xPUs has
 * others to help it, see compute/). A piece of work below
 * ALINK_WORK_INLINE bytes should be done at once by the caller, under the BQL:
 * the hop to a thread costs more than the copy.
 */
#ifndef HW_ALINK_DMA_H
#define HW_ALINK_DMA_H

#include "alink_common.h"
#include "system/dma.h"

#define ALINK_WORK_INLINE       (64 * 1024)
#define ALINK_SG_MAX_BOUNCE     (1024 * 1024)

/* --- scatter lists ------------------------------------------------------ */

typedef struct AlinkSgPiece {
    uint8_t *host;
    uint64_t start;         /* offset in the list */
    uint64_t len;
    uint64_t addr;          /* DMA address, for guest pieces */
    enum { ALINK_SG_HOST, ALINK_SG_RAM, ALINK_SG_MAPPED,
           ALINK_SG_BOUNCE } kind;
    unsigned region;        /* of ALINK_SG_RAM: index of AlinkSg.region */
} AlinkSgPiece;

/* RAM without a break, from its start to its end; holds references to it. */
typedef struct AlinkSgRegion {
    uint64_t addr;          /* DMA address */
    MemoryRegionCache ram;
} AlinkSgRegion;

typedef struct AlinkSg {
    AlinkDevice *ad;
    AddressSpace *as;       /* of the device */
    DMADirection dir;       /* TO_DEVICE: the device reads guest memory */
    uint64_t len;           /* of all pieces */
    uint64_t bounced;
    unsigned num, room;
    unsigned single;        /* pieces that are let go of one by one */
    AlinkSgPiece *piece;
    unsigned num_regions;
    AlinkSgRegion *region;  /* guest RAM that was found so far */
} AlinkSg;

/* BQL. */
void alink_sg_init(AlinkSg *sg, AlinkDevice *ad, DMADirection dir);
/*
 * BQL. Adds guest memory at DMA address @addr. ALINK_ST_DMA when the bus
 * refuses any byte of it: then nothing of this call was added; what was added
 * before stays and needs alink_sg_release().
 */
enum alink_status alink_sg_add_dma(AlinkSg *sg, uint64_t addr, uint64_t len);
/*
 * BQL. The same, if it is guest RAM in one piece: its host address. NULL: it is
 * not, or may not be accessed, and nothing was added.
 */
void *alink_sg_add_ram(AlinkSg *sg, uint64_t addr, uint64_t len);
/* Adds host memory, which the caller keeps valid until release. */
void alink_sg_add_host(AlinkSg *sg, void *host, uint64_t len);
/*
 * BQL. Unmaps, after @done bytes from the start have been read or written, and
 * empties the list. ALINK_ST_DMA when a bounced write-back was refused.
 */
enum alink_status alink_sg_release(AlinkSg *sg, uint64_t done);

/*
 * Any thread. Copies @len bytes between two lists, or a list and a buffer, from
 * the given offsets; the caller has checked that they lie inside.
 */
void alink_sg_copy(const AlinkSg *dst, uint64_t dst_off, const AlinkSg *src,
                   uint64_t src_off, uint64_t len);
void alink_sg_read(const AlinkSg *src, uint64_t off, void *buf, uint64_t len);
void alink_sg_write(const AlinkSg *dst, uint64_t off, const void *buf,
                    uint64_t len);
/*
 * Any thread. Host address of offset @off and, in *len, how many bytes follow
 * there without a break; NULL past the end. Fast when called in ascending order
 * with the same *@hint (start it at 0).
 */
void *alink_sg_ptr(const AlinkSg *sg, uint64_t off, uint64_t *len,
                   unsigned *hint);

/* --- work without the BQL ----------------------------------------------- */

typedef struct AlinkWorkQueue AlinkWorkQueue;

/* On a worker thread, without the BQL: host memory and the fabric core only. */
typedef void AlinkWorkFn(void *opaque);
/*
 * Any thread, under the BQL, inside the device's re-entrancy guard and between
 * alink_bh_enter() and its end, unless alink_work_drain() calls it: may do DMA,
 * raise interrupts, submit more work, free @opaque.
 */
typedef void AlinkWorkDone(void *opaque);

/* BQL. One queue for each thing that wants its work in order. */
AlinkWorkQueue *alink_work_new(AlinkDevice *ad);
/* BQL. Drains, then frees. */
void alink_work_free(AlinkWorkQueue *wq);
/* BQL. */
void alink_work_submit(AlinkWorkQueue *wq, AlinkWorkFn *fn, AlinkWorkDone *done,
                       void *opaque);
/*
 * BQL. Returns when every fn submitted so far has ended and its done has been
 * called (from here). Runs here what no thread has begun. To end soon, fn
 * should look at a flag of its own between pieces of, say, 1 MiB. Work that done
 * submits meanwhile is drained also.
 */
void alink_work_drain(AlinkWorkQueue *wq);

/*
 * BQL. For tests, of all queues: a thread that has ended a piece of work stops
 * there, before it asks for the BQL; and how many threads do.
 */
void alink_work_hold(bool hold);
unsigned alink_work_held(void);

#endif /* HW_ALINK_DMA_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers in JSON, of all commands here. */
#ifndef ALINK_JSON_H
#define ALINK_JSON_H

#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

/* A 64-bit number: as a number up to 2^53, as a string of digits above. */
static inline struct json_object *json_u64(uint64_t value)
{
	char buf[24];

	if (value <= 1ULL << 53)
		return json_object_new_int64((int64_t)value);
	snprintf(buf, sizeof(buf), "%" PRIu64, value);
	return json_object_new_string(buf);
}

#endif /* ALINK_JSON_H */

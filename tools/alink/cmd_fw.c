// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink fw: makes images of firmware, and looks at them. They are written to
 * devices by "devlink dev flash". No driver is needed for either.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sha2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hw/alink/flash.h>

#include "cmd.h"

#define HEADER	sizeof(struct alink_fw_header)

/* Of the header before its last field, and of the payload */
static void image_digest(const uint8_t *image, size_t size,
			 uint8_t digest[SHA256_DIGEST_LENGTH])
{
	SHA2_CTX s;

	SHA256Init(&s);
	SHA256Update(&s, image, offsetof(struct alink_fw_header, sha256));
	SHA256Update(&s, image + HEADER, size - HEADER);
	SHA256Final(digest, &s);
}

/* --- files ---------------------------------------------------------------- */

/*
 * A whole file behind @before bytes of room, with as many zeros behind it as
 * an image may need. The caller frees it.
 */
static int file_load(struct alink_cmd_env *env, const char *path, size_t before,
		     uint8_t **data, size_t *size)
{
	int code = EXIT_OK;
	struct stat st;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		return cmd_refuse(env, EXIT_FAILED, "%s: %s", path,
				  strerror(errno));
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
		fclose(f);
		return cmd_refuse(env, EXIT_FAILED, "%s: not a regular file",
				  path);
	}
	*size = (size_t)st.st_size;
	if (st.st_size > UINT32_MAX - ALINK_FW_ALIGN) {
		fclose(f);
		return cmd_refuse(env, EXIT_FAILED, "%s: too large", path);
	}
	*data = calloc(1, before + *size + ALINK_FW_ALIGN);
	if (!*data)
		code = cmd_refuse(env, EXIT_FAILED, "%s: out of memory", path);
	else if (fread(*data + before, 1, *size, f) != *size)
		code = cmd_refuse(env, EXIT_FAILED, "%s: cannot be read", path);
	fclose(f);
	if (code) {
		free(*data);
		*data = NULL;
	}
	return code;
}

static int file_store(struct alink_cmd_env *env, const char *path,
		      const uint8_t *data, size_t size)
{
	bool regular;
	struct stat st;
	int err = 0;
	FILE *f;

	f = fopen(path, "we");
	if (!f)
		return cmd_refuse(env, EXIT_FAILED, "%s: %s", path,
				  strerror(errno));
	regular = !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
	if (fwrite(data, 1, size, f) != size)
		err = errno;
	if (fclose(f) && !err)
		err = errno;
	if (!err)
		return EXIT_OK;
	/* Rather no image than a part of one */
	if (regular)
		unlink(path);
	return cmd_refuse(env, EXIT_FAILED, "%s: %s", path, strerror(err));
}

/* --- pack ----------------------------------------------------------------- */

static int arg_type(struct alink_cmd_env *env, const char *text,
		    uint32_t *type)
{
	for (*type = ALINK_DEVTYPE_XPU; *type <= ALINK_DEVTYPE_RACK; ++*type)
		if (!strcmp(text, alink_devtype_name(*type)))
			return EXIT_OK;
	return cmd_refuse(env, EXIT_USAGE,
			  "type: \"%s\": one of xpu, switch, optics, nic, rack is wanted",
			  text);
}

static int arg_version(struct alink_cmd_env *env, const char *text,
		       uint32_t *version)
{
	static const unsigned long max[3] = { 255, 255, 65535 };
	const char *at = text;
	unsigned long part[3];
	unsigned int i;
	char *end;

	for (i = 0; i < 3; i++) {
		if (*at < '0' || *at > '9')
			break;
		part[i] = strtoul(at, &end, 10);
		if (part[i] > max[i] || *end != (i < 2 ? '.' : 0))
			break;
		at = end + 1;
	}
	if (i < 3)
		return cmd_refuse(env, EXIT_USAGE,
				  "version: \"%s\": as 1.2.3 is wanted, up to 255.255.65535",
				  text);
	*version = (uint32_t)(part[0] << 24 | part[1] << 16 | part[2]);
	return EXIT_OK;
}

static int arg_variants(struct alink_cmd_env *env, const char *text,
			uint64_t *mask)
{
	struct alink_set set;
	int code = arg_set(env, "variant", text, &set);
	uint32_t i;

	*mask = 0;
	for (i = 0; !code && i < ALINK_MAX_PORTS; i++) {
		if (!alink_set_has(&set, i))
			continue;
		if (i > ALINK_FW_MAX_VARIANT)
			return cmd_refuse(env, EXIT_USAGE,
					  "variant: \"%s\": there is none above %d",
					  text, ALINK_FW_MAX_VARIANT);
		*mask |= 1ULL << i;
	}
	return code;
}

static int pack_options(struct alink_cmd_env *env, int argc, char **argv,
			struct alink_fw_header *h)
{
	bool type = false, version = false;
	uint64_t variants = UINT64_MAX;
	uint32_t v;
	int code;

	for (; argc; argc -= 2, argv += 2) {
		v = 0;
		if (argc == 1)
			return cmd_refuse(env, EXIT_USAGE,
					  "%s: its value is missing", argv[0]);
		if (!strcmp(argv[0], "type")) {
			code = arg_type(env, argv[1], &v);
			h->devtype = htole32(v);
			type = true;
		} else if (!strcmp(argv[0], "version")) {
			code = arg_version(env, argv[1], &v);
			h->version = htole32(v);
			version = true;
		} else if (!strcmp(argv[0], "variant")) {
			code = arg_variants(env, argv[1], &variants);
		} else if (!strcmp(argv[0], "security")) {
			code = arg_u32(env, "security", argv[1], UINT32_MAX,
				       &v);
			h->security = htole32(v);
		} else {
			code = cmd_refuse(env, EXIT_USAGE, "not known here: %s",
					  argv[0]);
		}
		if (code)
			return code;
	}
	h->variants = htole64(variants);
	if (!type || !version)
		return cmd_refuse(env, EXIT_USAGE, "%s is missing",
				  type ? "version" : "type");
	return EXIT_OK;
}

int cmd_fw_pack(struct alink_cmd_env *env, int argc, char **argv)
{
	struct alink_fw_header h = {
		.magic = htole32(ALINK_FW_MAGIC),
		.format = htole16(ALINK_FW_FORMAT),
		.header_len = htole16(HEADER),
		.security = htole32(1),
	};
	uint8_t *image;
	size_t len;
	int code;

	if (argc < 2)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink fw pack PAYLOAD IMAGE type TYPE version X.Y.Z [variant LIST] [security N]");
	code = pack_options(env, argc - 2, argv + 2, &h);
	if (!code)
		code = file_load(env, argv[0], HEADER, &image, &len);
	if (code)
		return code;
	if (!len) {
		free(image);
		return cmd_refuse(env, EXIT_FAILED, "%s: is empty", argv[0]);
	}
	len = (len + ALINK_FW_ALIGN - 1) / ALINK_FW_ALIGN * ALINK_FW_ALIGN;
	h.payload_len = htole32((uint32_t)len);
	memcpy(image, &h, HEADER);
	image_digest(image, HEADER + len,
		     image + offsetof(struct alink_fw_header, sha256));
	code = file_store(env, argv[1], image, HEADER + len);
	free(image);
	return code;
}

/* --- show ----------------------------------------------------------------- */

static int image_check(struct alink_cmd_env *env, const char *path,
		       const uint8_t *image, size_t size)
{
	const struct alink_fw_header *h = (const void *)image;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	uint32_t len;
	size_t i;

	if (size < HEADER)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: truncated: %zu bytes, a header has %zu",
				  path, size, HEADER);
	if (le32toh(h->magic) != ALINK_FW_MAGIC)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: not an image: magic is 0x%08x, not 0x%08x",
				  path, le32toh(h->magic), ALINK_FW_MAGIC);
	if (le16toh(h->format) != ALINK_FW_FORMAT)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: has format %u, %u is known", path,
				  le16toh(h->format), ALINK_FW_FORMAT);
	if (le16toh(h->header_len) != HEADER)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: has a header_len of %u, not %zu", path,
				  le16toh(h->header_len), HEADER);
	for (i = 0; i < sizeof(h->reserved) / sizeof(h->reserved[0]); i++)
		if (h->reserved[i])
			return cmd_refuse(env, EXIT_FAILED,
					  "%s: has reserved fields that are not 0",
					  path);
	len = le32toh(h->payload_len);
	if (!len || len % ALINK_FW_ALIGN)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: has a payload_len of %u, no multiple of %d",
				  path, len, ALINK_FW_ALIGN);
	if (size - HEADER < len)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: truncated: %zu bytes of a payload_len of %u",
				  path, size - HEADER, len);
	if (size - HEADER > len)
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: has %zu bytes behind a payload_len of %u",
				  path, size - HEADER - len, len);
	image_digest(image, size, digest);
	if (memcmp(digest, h->sha256, sizeof(digest)))
		return cmd_refuse(env, EXIT_FAILED,
				  "%s: damaged: sha256 does not match", path);
	return EXIT_OK;
}

/* What it says of an image that is whole. */
static int image_show(struct alink_cmd_env *env,
		      const struct alink_fw_header *h)
{
	char version[16], digest[2 * SHA256_DIGEST_LENGTH + 1], list[256];
	uint32_t v = le32toh(h->version), type = le32toh(h->devtype), i;
	struct json_object *o;
	struct alink_set set;

	memset(&set, 0, sizeof(set));
	for (i = 0; i <= ALINK_FW_MAX_VARIANT; i++)
		if (le64toh(h->variants) >> i & 1)
			alink_set_add(&set, i);
	for (i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(digest + 2 * i, 3, "%02x", h->sha256[i]);
	snprintf(version, sizeof(version), "%u.%u.%u", v >> 24, v >> 16 & 0xff,
		 v & 0xffff);
	if (env->json) {
		o = json_object_new_object();
		json_str(o, "type", alink_devtype_name(type));
		json_num(o, "devtype", type);
		json_str(o, "version", version);
		json_object_object_add(o, "variants", set_json(&set));
		json_num(o, "security", le32toh(h->security));
		json_num(o, "payload_bytes", le32toh(h->payload_len));
		json_str(o, "sha256", digest);
		return cmd_print_json(env, "alink.firmware", 1, o);
	}
	printf("type      %s (%u)\n", alink_devtype_name(type), type);
	printf("version   %s\n", version);
	printf("variants  %s\n", set_text(&set, list, sizeof(list)));
	printf("security  %u\n", le32toh(h->security));
	printf("payload   %u bytes\n", le32toh(h->payload_len));
	printf("sha256    %s\n", digest);
	return EXIT_OK;
}

int cmd_fw_show(struct alink_cmd_env *env, int argc, char **argv)
{
	uint8_t *image;
	size_t size;
	int code;

	if (argc != 1)
		return cmd_refuse(env, EXIT_USAGE, "usage: alink fw show IMAGE");
	code = file_load(env, argv[0], 0, &image, &size);
	if (code)
		return code;
	code = image_check(env, argv[0], image, size);
	if (!code)
		code = image_show(env, (const void *)image);
	free(image);
	return code;
}

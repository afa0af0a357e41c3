#include "tar-pax.h"

#include <stdlib.h>
#include <string.h>

struct record {
	const char *key;
	const char *value;
	size_t size;
};

static const char xattr_prefix[] = "SCHILY.xattr.";

void tar_pax_clear(struct tar_pax *pax)
{
	struct tar_map map = pax->map;

	tar_map_clear(&map);
	pax->path = pax->link = pax->sparse_path = NULL;
	pax->has_size = pax->has_uid = pax->has_gid = pax->has_mtime = false;
	pax->xattr_count = 0;
	pax->is_sparse = pax->has_real_size = false;
	pax->sparse_major = pax->sparse_minor = 0;
	pax->map = map;
}

/* Cuts "LENGTH KEY=VALUE\n" off the begin. Answers how many bytes it took, 0 on error. */
static size_t cut_record(char *bytes, size_t size, struct record *record, struct error *err)
{
	size_t length = 0, digits = 0;
	char *equals;

	while (digits < size && digits < 8 && bytes[digits] >= '0' && bytes[digits] <= '9')
		length = length * 10 + (size_t)(bytes[digits++] - '0');
	if (digits == 0 || digits >= size || bytes[digits] != ' ' || length > size || length < digits + 3 ||
	    bytes[length - 1] != '\n') {
		error_set(err, 0, "a pax record has no proper length");
		return 0;
	}
	record->key = bytes + digits + 1;
	equals = memchr(record->key, '=', length - digits - 2);
	if (!equals || equals == record->key || memchr(record->key, 0, (size_t)(equals - record->key))) {
		error_set(err, 0, "a pax record has no proper key");
		return 0;
	}
	*equals = 0;
	record->value = equals + 1;
	record->size = (size_t)(bytes + length - 1 - record->value);
	bytes[length - 1] = 0;
	return length;
}

static int take_text(const struct record *record, const char **text, struct error *err)
{
	if (memchr(record->value, 0, record->size))
		return error_set(err, 0, "pax record %.40s has a NUL byte", record->key);
	if (record->size >= TAR_PATH_MAX)
		return error_set(err, 0, "pax record %.40s is longer than %d bytes", record->key, TAR_PATH_MAX - 1);
	*text = record->size > 0 ? record->value : NULL;
	return 0;
}

static int take_number(const struct record *record, bool *has, uint64_t *value, struct error *err)
{
	*has = record->size > 0;
	if (!*has)
		return 0;
	if (memchr(record->value, 0, record->size) || tar_decimal(record->value, value, err) < 0)
		return error_set(err, 0, "pax record %.40s is not a number", record->key);
	return 0;
}

static int bad_time(struct error *err)
{
	return error_set(err, 0, "pax record mtime is not a time");
}

/* Seconds since the epoch, with a sign and any number of decimals. */
static int take_time(struct tar_pax *pax, const struct record *record, struct error *err)
{
	char *text = (char *)(record->value + (record->value[0] == '-'));
	char *point = strchr(text, '.');
	uint64_t seconds, nanoseconds = 0, unit = 100000000;

	pax->has_mtime = record->size > 0;
	if (!pax->has_mtime)
		return 0;
	if (memchr(record->value, 0, record->size))
		return bad_time(err);
	if (point)
		*point = 0;
	if (tar_decimal(text, &seconds, err) < 0)
		return bad_time(err);
	for (const char *digit = point ? point + 1 : ""; *digit; digit++, unit /= 10) {
		if (*digit < '0' || *digit > '9')
			return bad_time(err);
		nanoseconds += unit * (uint64_t)(*digit - '0');
	}
	pax->mtime_seconds = text != record->value ? -(int64_t)seconds : (int64_t)seconds;
	pax->mtime_nanoseconds = (uint32_t)nanoseconds;
	return 0;
}

static int take_xattr(struct tar_pax *pax, const struct record *record, struct error *err)
{
	const char *name = record->key + sizeof(xattr_prefix) - 1;
	struct tar_xattr *slot = pax->xattrs;

	if (!*name || strlen(name) > TAR_XATTR_NAME_MAX)
		return error_set(err, 0, "an extended attribute has no proper name");
	if (record->size > TAR_XATTR_VALUE_MAX)
		return error_set(err, 0, "extended attribute %s is larger than %d bytes", name, TAR_XATTR_VALUE_MAX);
	while (slot < pax->xattrs + pax->xattr_count && strcmp(slot->name, name) != 0)
		slot++;
	if (slot == pax->xattrs + TAR_XATTRS_MAX)
		return error_set(err, 0, "more than %d extended attributes", TAR_XATTRS_MAX);
	if (slot == pax->xattrs + pax->xattr_count)
		pax->xattr_count++;
	*slot = (struct tar_xattr){ .name = name, .value = (const uint8_t *)record->value, .size = record->size };
	return 0;
}

static int take_piece(struct tar_pax *pax, const struct record *record, bool is_offset, struct error *err)
{
	bool has;
	uint64_t number;

	if (take_number(record, &has, &number, err) < 0)
		return -1;
	if (!has)
		return error_set(err, 0, "pax record %.40s is empty", record->key);
	if (is_offset)
		return tar_map_add(&pax->map, number, 0, err);
	if (pax->map.count == 0)
		return error_set(err, 0, "pax record %.40s comes before its offset", record->key);
	pax->map.list[pax->map.count - 1].size = number;
	return 0;
}

static int take_sparse(struct tar_pax *pax, const struct record *record, struct error *err)
{
	const char *key = record->key + strlen("GNU.sparse.");
	bool ignored;

	pax->is_sparse = true;
	if (strcmp(key, "name") == 0)
		return take_text(record, &pax->sparse_path, err);
	if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0)
		return take_number(record, &pax->has_real_size, &pax->real_size, err);
	if (strcmp(key, "major") == 0)
		return take_number(record, &ignored, &pax->sparse_major, err);
	if (strcmp(key, "minor") == 0)
		return take_number(record, &ignored, &pax->sparse_minor, err);
	if (strcmp(key, "offset") == 0)
		return take_piece(pax, record, true, err);
	if (strcmp(key, "numbytes") == 0)
		return take_piece(pax, record, false, err);
	if (strcmp(key, "map") == 0) {
		if (memchr(record->value, 0, record->size))
			return error_set(err, 0, "pax record GNU.sparse.map has a NUL byte");
		tar_map_clear(&pax->map);
		return tar_map_parse(&pax->map, record->value, err);
	}
	return 0;
}

static int take_record(struct tar_pax *pax, const struct record *record, struct error *err)
{
	const char *key = record->key;

	if (strcmp(key, "path") == 0)
		return take_text(record, &pax->path, err);
	if (strcmp(key, "linkpath") == 0)
		return take_text(record, &pax->link, err);
	if (strcmp(key, "size") == 0)
		return take_number(record, &pax->has_size, &pax->size, err);
	if (strcmp(key, "uid") == 0)
		return take_number(record, &pax->has_uid, &pax->uid, err);
	if (strcmp(key, "gid") == 0)
		return take_number(record, &pax->has_gid, &pax->gid, err);
	if (strcmp(key, "mtime") == 0)
		return take_time(pax, record, err);
	if (strncmp(key, xattr_prefix, sizeof(xattr_prefix) - 1) == 0)
		return take_xattr(pax, record, err);
	if (strncmp(key, "GNU.sparse.", strlen("GNU.sparse.")) == 0)
		return take_sparse(pax, record, err);
	return 0;
}

int tar_pax_parse(struct tar_pax *pax, char *bytes, size_t size, struct error *err)
{
	while (size > 0) {
		struct record record;
		size_t taken = cut_record(bytes, size, &record, err);

		if (taken == 0 || take_record(pax, &record, err) < 0)
			return -1;
		bytes += taken;
		size -= taken;
	}
	return 0;
}

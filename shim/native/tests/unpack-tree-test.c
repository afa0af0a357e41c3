// with: unpack
/* The tree that archives become: replacement, links, whiteouts, attributes, limits; nothing outside is touched. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "unpack-tree-fixture.h"

static void test_paths(void)
{
	add('0', "../../up", "1");
	add('0', "/../abs", "2");
	add('0', "./a/.././b//c", "3");
	add('0', "a/..", "ignored: it is the root");
	add('5', "./", NULL);
	expect("paths are cleaned", "- abs 2\nd b\n- b/c 3\n- up 1\n");
	add('2', "out", "../../..");
	add('2', "abs", "/");
	add('2', "rel", "d/e");
	add('5', "d/e", NULL);
	add('0', "out/x", "1");
	add('0', "abs/y", "2");
	add('0', "rel/z", "3");
	expect("links on the way are followed inside the root",
	       "l abs /\nd d\nd d/e\n- d/e/z 3\nl out ../../..\nl rel d/e\n- x 1\n- y 2\n");
	add('2', "last", "/etc/passwd");
	add('0', "last", "mine");
	expect("a link is replaced, not written through", "- last mine\n");
	add('2', "dangling", "new/place");
	add('2', "absolute", "/other");
	add('0', "dangling/x", "1");
	add('0', "absolute/y/z", "2");
	expect("a link that leads nowhere gets its target",
	       "l absolute /other\nl dangling new/place\nd new\nd new/place\n- new/place/x 1\nd other\nd other/y\n"
	       "- other/y/z 2\n");
	add('2', "loop", "loop");
	add('0', "loop/x", "1");
	refuse("a link to itself", "entry \"loop/x\"");
	add('0', "file", "1");
	add('0', "file/x", "2");
	refuse("a file as a parent", "Not a directory");
}

static void test_replacement(void)
{
	add('0', "f", "1");
	add('0', "f", "2");
	add('5', "d", NULL);
	add('0', "d/x", "3");
	add('0', "d/y/z", "4");
	add('5', "d", NULL);
	add('5', "t/u/v", NULL);
	add('0', "t/u/v/w", "5");
	add('0', "t/u/x", "6");
	add('0', "t", "7");
	add('0', "g", "8");
	add('5', "g", NULL);
	add('0', "g/h", "9");
	expect("later entries win, directories merge", "d d\n- d/x 3\nd d/y\n- d/y/z 4\n- f 2\nd g\n- g/h 9\n- t 7\n");
}

/* A directory ten times deeper than a path can say: each link leads on from where the one before ends. */
static void test_deep_replacement(void)
{
	enum { STEPS = 15, NAMES = 8, NAME_LENGTH = 250 };
	char below[NAMES * (NAME_LENGTH + 1) + 1], records[2 * sizeof(below)], link[16], above[16] = "deep";
	struct unpacked unpacked;

	memset(below, 'd', sizeof(below));
	for (int i = 1; i <= NAMES; i++)
		below[i * (NAME_LENGTH + 1) - 1] = '/';
	below[sizeof(below) - 1] = 0;
	add('5', "deep", NULL);
	for (int i = 0; i < STEPS; i++) {
		for (int j = 1; j <= NAMES; j++) {
			snprintf(records, sizeof(records), "path=%s/%.*s\n", above, j * (NAME_LENGTH + 1), below);
			archive_pax(&archive, 'x', records);
			add('5', "by its pax path", NULL);
		}
		snprintf(records, sizeof(records), "linkpath=%s/%s\n", above, below);
		archive_pax(&archive, 'x', records);
		snprintf(link, sizeof(link), "l%d", i);
		add('2', link, "by its pax linkpath");
		strcpy(above, link);
	}
	snprintf(records, sizeof(records), "%s/file", above);
	add('0', records, "1");
	add('0', "deep", "flat");
	unpacked = unpack();
	if (unpacked.result < 0)
		fprintf(stderr, "deep: %s\n", unpacked.err.text);
	CHECK(unpacked.result == 0 && unpacked.inodes == 1 + STEPS && *unpacked.implicit == 0);
	CHECK(strncmp(list(root_path()), "- deep flat\nl l0 deep/d", 23) == 0);
}

static void test_hard_links(void)
{
	struct stat a, b;
	char path[128];

	archive_add(&archive, &(struct member){ .name = "d/a", .type = '0', .content = "1", .mode = 0640, .uid = 5 });
	add('1', "b", "/d/../d/a");
	add('1', "b", "d/a");
	add('1', "d/a", "d/a");
	add('2', "s", "d/a");
	add('1', "t", "s");
	expect("hard links", "- b 1\nd d\n- d/a 1\nl s d/a\nl t d/a\n");
	snprintf(path, sizeof(path), "%s/b", root_path());
	CHECK(lstat(path, &b) == 0);
	snprintf(path, sizeof(path), "%s/d/a", root_path());
	CHECK(lstat(path, &a) == 0 && a.st_ino == b.st_ino && a.st_mode == (S_IFREG | 0640) && a.st_uid == 5);
	add('1', "h", "../../../../../../../../etc/passwd");
	refuse("a hard link to the outside", "cannot find the target");
	add('2', "etc", "../../../../../../../etc");
	add('1', "h", "etc/passwd");
	refuse("a hard link to the outside through a link", "cannot find the target");
	add('5', "d", NULL);
	add('1', "h", "d");
	refuse("a hard link to a directory", "it is a directory");
	add('0', ".wh.gone", "");
	add('1', "h", "gone");
	refuse("a hard link to a whiteout", "removed");
	add('1', "h", "./");
	refuse("a hard link to the root", "root directory");
}

static void test_whiteouts(void)
{
	add('0', ".wh.gone", "");
	add('0', "d/.wh.x", "");
	add('0', "o/.wh..wh..opq", "");
	add('0', "o/kept", "1");
	expect("whiteouts and opaque directories", "d d\nw d/x\nw gone\nd o opaque y\n- o/kept 1\n");
	add('0', ".wh.f", "");
	add('0', "f", "1");
	add('0', ".wh.d", "");
	add('5', "d", NULL);
	add('0', ".wh.i", "");
	add('0', "i/x", "2");
	expect("an entry behind its whiteout stays, a directory is opaque",
	       "d d opaque y\n- f 1\nd i opaque y\n- i/x 2\n");
	add('0', "f", "1");
	add('0', ".wh.f", "");
	add('5', "d", NULL);
	add('0', "d/x", "2");
	add('0', ".wh.d", "");
	expect("an entry in front of its whiteout stays, a directory is opaque", "d d opaque y\n- d/x 2\n- f 1\n");
	add('0', ".wh..wh.plnk/1.2", "1");
	add('0', ".wh..wh.aufs", "2");
	expect("what AUFS left is ignored", "");
	add('0', ".wh.", "");
	refuse("a whiteout of nothing", "names nothing");
	add('0', "d/.wh...", "");
	refuse("a whiteout of ..", "names nothing");
	add('0', "d/.wh..", "");
	refuse("a whiteout of .", "names nothing");
	add('0', ".wh.d/x", "");
	refuse("a whiteout as a parent", "goes through a whiteout");
	add('2', "l", "../../..");
	add('0', "l/.wh.etc", "");
	expect("a whiteout through a link stays inside", "w etc\nl l ../../..\n");
}

static void test_attributes(void)
{
	struct stat st;
	char path[128], value[64];

	archive_add(&archive, &(struct member){ .name = "d", .type = '5', .mode = 02775, .uid = 1, .gid = 2,
						.mtime = 1000 });
	archive_pax(&archive, 'x', "SCHILY.xattr.user.u=1\nSCHILY.xattr.trusted.t=2\n"
				   "SCHILY.xattr.trusted.overlay.opaque=y\nSCHILY.xattr.security.selinux=label\n");
	archive_add(&archive, &(struct member){ .name = "d/f", .type = '0', .mode = 06755, .uid = 3, .gid = 4,
						.mtime = 2000, .content = "x" });
	archive_pax(&archive, 'x', "mtime=99999999999999\nSCHILY.xattr.trusted.overlay.redirect=/etc\n");
	archive_add(&archive, &(struct member){ .name = "d/e", .type = '5', .mode = 01777 });
	archive_add(&archive, &(struct member){ .name = "d/n", .type = '3', .mode = 0666, .major = 1, .minor = 3 });
	CHECK(unpack().result == 0);
	snprintf(path, sizeof(path), "%s/d", root_path());
	CHECK(lstat(path, &st) == 0 && st.st_mode == (S_IFDIR | 02775) && st.st_uid == 1 && st.st_gid == 2);
	CHECK(st.st_mtim.tv_sec == 1000);
	snprintf(path, sizeof(path), "%s/d/f", root_path());
	CHECK(lstat(path, &st) == 0 && st.st_mode == (S_IFREG | 06755) && st.st_uid == 3 && st.st_gid == 4);
	CHECK(st.st_mtim.tv_sec == 2000 && lgetxattr(path, "user.u", value, sizeof(value)) == 1);
	CHECK(lgetxattr(path, "trusted.t", value, sizeof(value)) == 1);
	CHECK(lgetxattr(path, "trusted.overlay.opaque", value, sizeof(value)) < 0 && errno == ENODATA);
	CHECK(lgetxattr(path, "security.selinux", value, sizeof(value)) < 0);
	snprintf(path, sizeof(path), "%s/d/e", root_path());
	/* The group of the set-gid parent is not inherited: the archive says what it is. */
	CHECK(lstat(path, &st) == 0 && st.st_mode == (S_IFDIR | 01777) && st.st_gid == 0 && st.st_mtim.tv_sec == 0);
	CHECK(lgetxattr(path, "trusted.overlay.redirect", value, sizeof(value)) < 0);
	snprintf(path, sizeof(path), "%s/d/n", root_path());
	CHECK(lstat(path, &st) == 0 && st.st_mode == (S_IFCHR | 0666) && st.st_rdev == makedev(1, 3));
}

/* ping's cap_net_raw+ep, as setcap writes it: the value has NUL bytes, and chown(2) would take it away. */
static void test_capability(void)
{
	static const char value[] = "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	static const char key[] = "SCHILY.xattr.security.capability=";
	char record[128], path[128], got[64];
	int used = snprintf(record, sizeof(record), "%d %s", 3 + (int)sizeof(key) - 1 + 20 + 1, key);

	memcpy(record + used, value, 20);
	record[used + 20] = '\n';
	archive_add(&archive, &(struct member){ .name = "x", .type = 'x', .content = record,
						.size = (size_t)used + 21 });
	archive_add(&archive, &(struct member){ .name = "ping", .type = '0', .mode = 0755, .uid = 5, .content = "x" });
	CHECK(unpack().result == 0);
	snprintf(path, sizeof(path), "%s/ping", root_path());
	CHECK(lgetxattr(path, "security.capability", got, sizeof(got)) == 20 && memcmp(got, value, 20) == 0);
}

static void test_implicit(void)
{
	struct unpacked unpacked;

	add('0', "a/b/c", "1");
	add('2', "l", "a/b");
	add('0', "l/m/n", "2");
	add('5', "a", NULL);
	add('0', "gone/x", "3");
	add('0', "gone", "4");
	add('0', "odd\n\\/x", "5");
	unpacked = unpack();
	CHECK(unpacked.result == 0);
	CHECK(strcmp(unpacked.implicit, "implicit a/b\nimplicit a/b/m\nimplicit odd\\012\\134\n") == 0);
	CHECK(unpacked.inodes == 9 && unpacked.bytes == 5);
}

static void test_limits(void)
{
	struct unpacked unpacked;

	add('0', "a", "12345");
	add('0', "b", "123456");
	unpacked = unpack_limited((struct tree_limits){ .bytes = 10, .inodes = 10 });
	CHECK(unpacked.result < 0 && strstr(unpacked.err.text, "entry \"b\": the layer has more than 10 bytes"));
	add('0', "a/b/c", "1");
	unpacked = unpack_limited((struct tree_limits){ .bytes = 10, .inodes = 2 });
	CHECK(unpacked.result < 0 && strstr(unpacked.err.text, "entry \"a/b/c\": the layer has more than 2 files"));
	for (int i = 0; i < 3; i++)
		add('0', "same", "1");
	unpacked = unpack_limited((struct tree_limits){ .bytes = 10, .inodes = 2 });
	CHECK(unpacked.result < 0 && strstr(unpacked.err.text, "more than 2 files"));
	archive_pax(&archive, 'x', "GNU.sparse.map=0,1,1000000000000,1\nGNU.sparse.size=1000000000002\n");
	add('0', "sparse", "ab");
	unpacked = unpack_limited((struct tree_limits){ .bytes = 10, .inodes = 2 });
	CHECK(unpacked.result == 0 && unpacked.bytes == 2);
}

int main(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "unpack-tree-test: needs root\n");
		return 1;
	}
	CHECK(mkdtemp(base));
	atexit(clean_up);
	test_paths();
	test_replacement();
	test_deep_replacement();
	test_hard_links();
	test_whiteouts();
	test_attributes();
	test_capability();
	test_implicit();
	test_limits();
	return 0;
}

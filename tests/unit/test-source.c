/* SPDX-License-Identifier: ISC */

/* Tests of handler/source.h: the same bytes and the same offsets, read or mapped, whatever becomes
 * of the file meanwhile. */

#include "handler/source.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/parse.h"

#define PIECE ((off_t)SOURCE_PIECE)

/* So much that it is mapped, and that windows follow each other. */
#define MUCH (20 * PIECE + 12345)

/* What the next calls fail with, how many there were, and what happens meanwhile. */
static int mmap_failure, read_failure;
static void (*before_mmap_fails)(void);
static int fstat_count, mmap_count;
static void *window; /* the last one */
static int window_count;
static bool hides_holes;

/* These five are in the place of libc's. */
ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	if (read_failure > 0) {
		errno = read_failure;
		return -1;
	}
	/* Less than there is, as a file system may. */
	return preadv(fd, &(struct iovec){buffer, size < 100000 ? size : 100000}, 1, offset);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	if (read_failure > 0) {
		errno = read_failure;
		return -1;
	}
	return syscall(SYS_read, fd, buffer, size);
}

int fstat(int fd, struct stat *status)
{
	int r = fstatat(fd, "", status, AT_EMPTY_PATH);

	fstat_count++;
	if (hides_holes)
		status->st_blocks = status->st_size / 512 + 8;
	return r;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	mmap_count += fd >= 0;
	if (fd >= 0 && mmap_failure > 0) {
		if (before_mmap_fails)
			before_mmap_fails();
		errno = mmap_failure;
		return MAP_FAILED;
	}
	void *mapped = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);

	if (fd >= 0 && mapped != MAP_FAILED) {
		window = mapped;
		window_count++;
	}
	return mapped;
}

int munmap(void *address, size_t length)
{
	window_count -= address == window;
	return (int)syscall(SYS_munmap, address, length);
}

static char buffer[SOURCE_PIECE];

/* What stands at an offset: never the same in two pages. */
static char byte_at(off_t offset)
{
	return (char)('a' + (offset ^ offset >> 7 ^ offset >> 12) % 23);
}

static void extend(int fd, off_t from, off_t until)
{
	char bytes[4096];

	while (from < until) {
		size_t n = until - from < (off_t)sizeof(bytes) ? (size_t)(until - from)
							       : sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = byte_at(from + (off_t)i);
		ck_assert_int_eq(pwrite(fd, bytes, n, from), (ssize_t)n);
		from += (off_t)n;
	}
}

/* A test begins: all may be in one process. */
static void forget(void)
{
	mmap_failure = read_failure = 0;
	before_mmap_fails = NULL;
	fstat_count = mmap_count = window_count = 0;
	hides_holes = false;
}

/* A file of size bytes, in memory. */
static int make_file(off_t size)
{
	int fd = memfd_create("source", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	forget();
	extend(fd, 0, size);
	return fd;
}

static off_t offset_of(int fd)
{
	return lseek(fd, 0, SEEK_CUR);
}

/* Looks at all n bytes of a piece that begins at offset: how many are not the file's? */
static size_t count_wrong(const char *piece, ssize_t n, off_t offset)
{
	size_t wrong = 0;

	for (ssize_t i = 0; i < n; i++)
		wrong += ((const volatile char *)piece)[i] != byte_at(offset + i);
	return wrong;
}

/* Takes a piece that is the file's, and returns its length. */
static ssize_t take(struct source *source)
{
	off_t begin = offset_of(source->fd);
	const char *piece;
	ssize_t n = source_take(source, PARSE_INFINITY, &piece);

	ck_assert_int_ge(n, 0);
	ck_assert_int_eq(offset_of(source->fd), begin + n);
	ck_assert_uint_eq(count_wrong(piece, n, begin), 0);
	ck_assert(source_confirm(source));
	ck_assert_int_le(window_count, 1);
	return n;
}

/* Takes once more the piece at begin, which was not the file's, and returns its length. The
 * descriptor had passed it. */
static ssize_t take_again(struct source *source, off_t begin)
{
	off_t end = offset_of(source->fd);
	const char *piece;
	ssize_t n = source_take(source, PARSE_INFINITY, &piece);

	ck_assert_int_ge(n, 0);
	ck_assert_int_eq(offset_of(source->fd), end - PIECE + n);
	ck_assert_uint_eq(count_wrong(piece, n, begin), 0);
	ck_assert(source_confirm(source));
	ck_assert(!source->is_mapped);
	return n;
}

/* Takes all that is left, and returns how many of the pieces were mapped. */
static int take_all(struct source *source, off_t size)
{
	int mapped = 0;

	while (take(source) > 0)
		mapped += source->is_mapped;
	ck_assert_int_eq(offset_of(source->fd), size);
	return mapped;
}

/* A source that has just handed out its first mapped piece of a file, from offset on. */
static struct source *begin_mapping(int fd, off_t offset, const char **ret_piece)
{
	static struct source source;

	source = source_of(fd, buffer, true);
	ck_assert_int_eq(lseek(fd, offset, SEEK_SET), offset);
	ck_assert_int_eq(take(&source), PIECE);
	ck_assert(!source.is_mapped);
	ck_assert_int_eq(source_take(&source, PARSE_INFINITY, ret_piece), PIECE);
	ck_assert(source.is_mapped);
	return &source;
}

/* From wherever the descriptor stands, page or no page. */
START_TEST(begins_where_the_descriptor_stands)
{
	static const off_t offsets[] = {0, 1, 4095, 4096, PIECE - 1, 3 * PIECE + 777};
	_cleanup_close_ int fd = make_file(MUCH);
	struct source source = source_of(fd, buffer, true);

	ck_assert_int_eq(lseek(fd, offsets[_i], SEEK_SET), offsets[_i]);
	ck_assert_int_eq(take_all(&source, MUCH), (MUCH - offsets[_i]) / PIECE - 1);
	ck_assert_int_le(mmap_count, 6);
	/* The end stays one. */
	ck_assert_int_eq(take(&source), 0);
	source_reset(&source);
	ck_assert_int_eq(window_count, 0);
}
END_TEST

/* Beyond what 32 bits hold. */
START_TEST(maps_a_large_file)
{
	off_t far = ((off_t)5 << 30) + 99, size = far + 10 * PIECE;
	_cleanup_close_ int fd = make_file(0);
	struct source source = source_of(fd, buffer, true);

	extend(fd, far, size);
	hides_holes = true;
	ck_assert_int_eq(lseek(fd, far, SEEK_SET), far);
	ck_assert_int_eq(take_all(&source, size), 9);
	source_reset(&source);
}
END_TEST

/* A short file, and one without much behind its first piece: the first costs nothing. */
START_TEST(reads_what_is_short)
{
	static const off_t sizes[] = {0, 1, PIECE - 1, PIECE, 3 * PIECE, PIECE + (1 << 20) - 1};
	_cleanup_close_ int fd = make_file(sizes[_i]);
	struct source source = source_of(fd, buffer, true);

	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(take_all(&source, sizes[_i]), 0);
	ck_assert_int_eq(fstat_count, sizes[_i] < PIECE ? 0 : 1);
	source_reset(&source);
}
END_TEST

START_TEST(reads_what_is_no_file)
{
	struct source source;
	const char *piece;
	int ends[2];

	forget();
	if (_i == 0) {
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 2 * PIECE), 2 * PIECE);
	} else {
		int size = 2 * (int)PIECE;

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
				 0);
	}
	source = source_of(ends[0], buffer, true);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(ends[1], buffer, SOURCE_PIECE), PIECE);
		ck_assert_int_eq(source_take(&source, PARSE_INFINITY, &piece), PIECE);
		ck_assert(source_confirm(&source));
		ck_assert(!source.is_mapped);
	}
	ck_assert_int_eq(fstat_count, 1);
	close(ends[1]);
	ck_assert_int_eq(source_take(&source, PARSE_INFINITY, &piece), 0);
	source_reset(&source);
	close(ends[0]);
}
END_TEST

/* Not wanted; refused; SIGBUS blocked; with holes; another one maps. */
START_TEST(reads_what_cannot_be_mapped)
{
	_cleanup_close_ int fd = make_file(MUCH), other = make_file(MUCH);
	struct source source = source_of(fd, buffer, _i > 0);
	struct source *first = NULL;
	const char *piece;
	sigset_t set;

	if (_i == 1)
		mmap_failure = ENODEV;
	if (_i == 2)
		mmap_failure = EACCES;
	if (_i == 3) {
		ck_assert_int_eq(sigemptyset(&set), 0);
		ck_assert_int_eq(sigaddset(&set, SIGBUS), 0);
		ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	}
	if (_i == 4)
		ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192),
				 0);
	if (_i == 5)
		first = begin_mapping(other, 0, &piece);
	fstat_count = 0;
	ck_assert_int_eq(lseek(fd, 8192, SEEK_SET), 8192);
	ck_assert_int_eq(take_all(&source, MUCH), 0);
	ck_assert_int_le(fstat_count, 1);
	source_reset(&source);
	if (_i == 3)
		ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	if (first) {
		ck_assert_uint_eq(count_wrong(piece, PIECE, PIECE), 0);
		ck_assert(source_confirm(first));
		source_reset(first);
	}
}
END_TEST

START_TEST(fails_as_read_does)
{
	_cleanup_close_ int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct source source = source_of(fd, buffer, true);
	const char *piece;

	ck_assert_int_eq(source_take(&source, PARSE_INFINITY, &piece), -EBADF);
}
END_TEST

/* Below /proc a file's size is 0, and yet it has text. */
START_TEST(reads_a_file_without_a_size)
{
	_cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct source source = source_of(fd, buffer, true);
	const char *piece;

	ck_assert_int_gt(source_take(&source, PARSE_INFINITY, &piece), 0);
	ck_assert(source_confirm(&source));
	ck_assert(!source.is_mapped);
	source_reset(&source);
}
END_TEST

/* Truncated while its second piece is looked at: within it at a page's border, in the midst of a
 * page, in its last page (where no signal tells), and before it. */
START_TEST(gives_what_is_left_of_a_truncated_file)
{
	static const off_t left[] = {PIECE + 8192, PIECE + 5000, 2 * PIECE - 1, PIECE, 100, 0};
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);

	ck_assert_int_eq(ftruncate(fd, left[_i]), 0);
	ck_assert_uint_gt(count_wrong(piece, PIECE, PIECE), 0);
	ck_assert(!source_confirm(source));
	ck_assert_int_eq(take_again(source, PIECE), left[_i] > PIECE ? left[_i] - PIECE : 0);
	/* What comes then is read. */
	extend(fd, left[_i], MUCH);
	ck_assert_int_eq(take_all(source, MUCH), 0);
	source_reset(source);
}
END_TEST

/* Truncated before a piece is taken, and behind one. */
START_TEST(sees_that_a_file_is_truncated_later)
{
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);

	ck_assert_int_eq(ftruncate(fd, 2 * PIECE), 0);
	ck_assert_uint_eq(count_wrong(piece, PIECE, PIECE), 0);
	ck_assert(source_confirm(source));
	ck_assert_int_eq(take(source), 0);

	extend(fd, 2 * PIECE, MUCH);
	source_reset(source);
	source = begin_mapping(fd, 0, &piece);
	ck_assert(source_confirm(source));
	ck_assert_int_eq(ftruncate(fd, 2 * PIECE + 10), 0);
	ck_assert_int_eq(source_take(source, PARSE_INFINITY, &piece), PIECE);
	ck_assert_uint_gt(count_wrong(piece, PIECE, 2 * PIECE), 0);
	ck_assert(!source_confirm(source));
	ck_assert_int_eq(take_again(source, 2 * PIECE), 10);
	ck_assert_int_eq(take_all(source, 2 * PIECE + 10), 0);
	source_reset(source);
}
END_TEST

/* It has its size again, but what was looked at in between was not its bytes. */
START_TEST(notices_a_file_that_was_truncated_and_is_long_again)
{
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);

	ck_assert_int_eq(ftruncate(fd, PIECE), 0);
	ck_assert_uint_gt(count_wrong(piece, PIECE, PIECE), 0);
	extend(fd, PIECE, MUCH);
	ck_assert(!source_confirm(source));
	ck_assert_int_eq(take_again(source, PIECE), PIECE);
	ck_assert_int_eq(take_all(source, MUCH), 0);
	source_reset(source);
}
END_TEST

/* A page that can't be had is a signal, and then what read() says. */
START_TEST(says_what_read_says_of_a_page_that_is_bad)
{
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);

	ck_assert_int_eq(ftruncate(fd, PIECE), 0);
	ck_assert_uint_gt(count_wrong(piece, PIECE, PIECE), 0);
	ck_assert(!source_confirm(source));
	read_failure = EIO;
	ck_assert_int_eq(source_take(source, PARSE_INFINITY, &piece), -EIO);
	ck_assert_int_eq(offset_of(fd), PIECE);
	ck_assert_int_eq(source_take(source, PARSE_INFINITY, &piece), -EIO);
	read_failure = 0;
	source_reset(source);
}
END_TEST

START_TEST(follows_a_file_that_grows)
{
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);
	int mapped;

	ck_assert(source_confirm(source));
	extend(fd, MUCH, 2 * MUCH);
	mapped = take_all(source, 2 * MUCH);
	ck_assert_int_gt(mapped, MUCH / PIECE);
	extend(fd, 2 * MUCH, 2 * MUCH + 3 * PIECE);
	ck_assert_int_eq(take_all(source, 2 * MUCH + 3 * PIECE), 0);
	source_reset(source);
}
END_TEST

/* What it grows by is a hole, and stays one, but for what the last window reached over. */
START_TEST(reads_the_hole_that_a_file_grows_by)
{
	_cleanup_close_ int fd = make_file(MUCH);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);
	struct stat before, after;
	ssize_t n;

	ck_assert_int_eq(fstat(fd, &before), 0);
	ck_assert_int_eq(ftruncate(fd, 3 * MUCH), 0);
	do {
		ck_assert(source_confirm(source));
		n = source_take(source, PARSE_INFINITY, &piece);
		(void)count_wrong(piece, n, 0);
		if (source->is_mapped)
			ck_assert_int_le(offset_of(fd), MUCH);
	} while (n > 0);
	ck_assert_int_eq(offset_of(fd), 3 * MUCH);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_le(after.st_blocks - before.st_blocks, 4 * PIECE / 512);
	source_reset(source);
}
END_TEST

/* Two that have one offset between them get each byte once. */
START_TEST(shares_a_descriptor)
{
	_cleanup_close_ int fd = make_file(MUCH), same = dup(fd);
	struct source other = source_of(same, buffer, false);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);
	off_t taken = 2 * PIECE;
	ssize_t n;

	ck_assert(source_confirm(source));
	do {
		n = take(taken / PIECE % 3 ? source : &other);
		taken += n;
	} while (n > 0);
	ck_assert_int_eq(taken, MUCH);
	source_reset(source);

	/* Somebody went to the end, or behind it. */
	source = begin_mapping(fd, 0, &piece);
	ck_assert(source_confirm(source));
	ck_assert_int_eq(lseek(same, MUCH - 100 + 200 * _i, SEEK_SET), MUCH - 100 + 200 * _i);
	ck_assert_int_eq(source_take(source, PARSE_INFINITY, &piece), _i == 0 ? 100 : 0);
	ck_assert(!source->is_mapped);
	source_reset(source);
}
END_TEST

/* Who shares the descriptor, and where what he read began. */
static int sharer;
static off_t shared_from;

static void read_meanwhile(void)
{
	static char other_buffer[SOURCE_PIECE];
	struct source other = source_of(sharer, other_buffer, false);

	shared_from = offset_of(sharer);
	ck_assert_int_eq(take(&other), PIECE);
}

/* Somebody else reads on between the descriptor's way past a piece and the news that it can't be
 * mapped (0), or was not the file's (1): the piece is still where it was. */
START_TEST(keeps_its_place_on_a_shared_descriptor)
{
	_cleanup_close_ int fd = make_file(MUCH), same = dup(fd);
	const char *piece;
	struct source *source = begin_mapping(fd, 0, &piece);
	/* Where the first window has ended; where it begins. */
	off_t begin = _i == 0 ? 5 * PIECE : PIECE;

	sharer = same;
	if (_i == 0) {
		ck_assert(source_confirm(source));
		while (offset_of(fd) < begin)
			(void)take(source);
		mmap_failure = ENOMEM;
		before_mmap_fails = read_meanwhile;
		ck_assert_int_eq(source_take(source, PARSE_INFINITY, &piece), PIECE);
		ck_assert_uint_eq(count_wrong(piece, PIECE, begin), 0);
		ck_assert(source_confirm(source));
	} else {
		ck_assert_int_eq(ftruncate(fd, begin), 0);
		ck_assert_uint_gt(count_wrong(piece, PIECE, begin), 0);
		extend(fd, begin, MUCH);
		read_meanwhile();
		ck_assert(!source_confirm(source));
		ck_assert_int_eq(take_again(source, begin), PIECE);
	}
	ck_assert(!source->is_mapped);
	ck_assert_int_eq(shared_from, begin + PIECE);
	ck_assert_int_eq(offset_of(fd), begin + 2 * PIECE);
	ck_assert_int_eq(take_all(source, MUCH), 0);
	source_reset(source);
}
END_TEST

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

/* A signal that was sent (0), one for other memory (1): the process ends by it. */
START_TEST(leaves_other_bus_errors_alone)
{
	_cleanup_close_ int fd = make_file(MUCH), empty = make_file(0);
	struct sigaction action = {.sa_handler = count_signal}, now;
	const volatile char *other = mmap(NULL, 4096, PROT_READ, MAP_SHARED, empty, 0);
	const char *piece;
	struct source *source;
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		(void)signal(SIGBUS, SIG_DFL);
		source = begin_mapping(fd, 0, &piece);
		if (_i == 0)
			(void)raise(SIGBUS);
		else
			(void)*other;
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGBUS);

	/* Who was there before is there again: at once for what was sent, and in the end. */
	ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
	source = begin_mapping(fd, 0, &piece);
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &now), 0);
	ck_assert(now.sa_handler != count_signal);
	if (_i == 0) {
		(void)raise(SIGBUS);
		ck_assert_int_eq(signals, 1);
	}
	source_reset(source);
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &now), 0);
	ck_assert(now.sa_handler == count_signal);
}
END_TEST

int main(void)
{
	const char *faults = unit_is_in_valgrind() ? "faults that go on" : NULL;
	const struct unit_row rows[] = {
		UNIT_LOOP("source_take", begins_where_the_descriptor_stands, 0, 6),
		UNIT_ONCE("source_take", maps_a_large_file),
		UNIT_LOOP("source_take", reads_what_is_short, 0, 6),
		UNIT_LOOP("source_take", reads_what_is_no_file, 0, 2),
		UNIT_LOOP("source_take", reads_what_cannot_be_mapped, 0, 6),
		UNIT_ONCE("source_take", fails_as_read_does),
		UNIT_ONCE("source_take", reads_a_file_without_a_size),
		UNIT_ONCE("source_take", follows_a_file_that_grows),
		UNIT_ONCE("source_take", reads_the_hole_that_a_file_grows_by),
		UNIT_LOOP("source_take", shares_a_descriptor, 0, 2),
		UNIT_ONCE("source_take", keeps_its_place_on_a_shared_descriptor),
		UNIT_LOOP_UNLESS(faults, "source_take", keeps_its_place_on_a_shared_descriptor, 1,
				 2),
		UNIT_LOOP_UNLESS(faults, "source_confirm", gives_what_is_left_of_a_truncated_file,
				 0, 6),
		UNIT_LOOP_UNLESS(faults, "source_confirm", sees_that_a_file_is_truncated_later, 0,
				 1),
		UNIT_LOOP_UNLESS(faults, "source_confirm",
				 notices_a_file_that_was_truncated_and_is_long_again, 0, 1),
		UNIT_LOOP_UNLESS(faults, "source_confirm",
				 says_what_read_says_of_a_page_that_is_bad, 0, 1),
		UNIT_LOOP_UNLESS(faults, "source_reset", leaves_other_bus_errors_alone, 0, 2),
		{0},
	};

	return unit_run("source", rows);
}

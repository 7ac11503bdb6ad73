/* SPDX-License-Identifier: ISC */
#include "handler/source.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/descriptor.h"
#include "util/error.h"

/* So many bytes of a file in front of us make up for what it takes to begin with mapping. */
#define WORTH_MAPPING ((off_t)1 << 20)

/* Mapped at once. Larger windows are no faster, and count as the process's memory. */
#define WINDOW_PIECES 4

/* The source that has a window, and who was there for SIGBUS before it. */
static struct source *volatile mapping;
static struct sigaction former;

static off_t page_size(void)
{
	return (off_t)sysconf(_SC_PAGESIZE);
}

/* Of the window: its pieces, wherever in a page the first one begins. */
static size_t window_size(void)
{
	return WINDOW_PIECES * SOURCE_PIECE + (size_t)page_size();
}

/*
 * There is no such page: the file was truncated, or can't be read there. With pages of no file in
 * the window's place whoever reads it comes to his end, and source_confirm() knows. A SIGBUS for
 * anything else is none of ours. mmap() is a bare system call.
 */
static void handle_bus_error(int number, siginfo_t *info, void *context)
{
	struct source *source = mapping;
	const char *at = info->si_addr;

	(void)context;
	if (source && source->window && info->si_code > 0 && at >= source->window &&
	    at < source->window + window_size() &&
	    mmap(source->window, window_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != MAP_FAILED) {
		source->is_lost = true;
		return;
	}
	/* A fault comes again, a signal that was sent does not. */
	(void)sigaction(SIGBUS, &former, NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

/* If SIGBUS can come to us: where it is blocked it ends the process. */
static void begin_mapping(struct source *source)
{
	struct sigaction action = {.sa_sigaction = handle_bus_error, .sa_flags = SA_SIGINFO};
	sigset_t blocked;

	if (!mapping && sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 &&
	    !sigismember(&blocked, SIGBUS) && sigaction(SIGBUS, &action, &former) == 0)
		mapping = source;
}

static void unmap(struct source *source)
{
	if (source->window)
		(void)munmap(source->window, window_size());
	source->window = NULL;
}

/* From now on it is read. */
static void stop_mapping(struct source *source)
{
	source->may_map = false;
	unmap(source);
	if (mapping != source)
		return;
	mapping = NULL;
	(void)sigaction(SIGBUS, &former, NULL);
}

void source_reset(struct source *source)
{
	stop_mapping(source);
}

/* In a file system that is memory, what looks at a mapped hole fills it. */
static bool has_holes(const struct stat *status)
{
	return status->st_blocks < status->st_size / 512;
}

/* After the first full piece: whether there is a file with much more behind it. */
static void consider_mapping(struct source *source)
{
	struct stat status;

	if (!source->may_map)
		return;
	source->may_map = false;
	if (fstat(source->fd, &status) < 0 || !S_ISREG(status.st_mode) || has_holes(&status))
		return;
	source->size = status.st_size;
	source->end = lseek(source->fd, 0, SEEK_CUR);
	if (source->end >= 0 && source->size - source->end >= WORTH_MAPPING)
		begin_mapping(source);
}

/* Moves the window over the piece that ends at source->end, unless it is there. */
static bool move_window(struct source *source)
{
	off_t begin = source->end - (off_t)SOURCE_PIECE;
	void *window;

	if (source->window && begin >= source->window_begin &&
	    source->end <= source->window_begin + (off_t)window_size())
		return true;
	unmap(source);
	source->window_begin = begin - begin % page_size();
	window = mmap(NULL, window_size(), PROT_READ, MAP_SHARED | MAP_POPULATE, source->fd,
		      source->window_begin);
	source->window = window == MAP_FAILED ? NULL : window;
	return source->window;
}

/* To move the descriptor comes first, as with read(): what it passes is ours alone, and nobody who
 * shares it gets the same bytes. Returns 0 where the piece is to be read. */
static ssize_t take_mapped(struct source *source, const char **ret_piece)
{
	const off_t length = (off_t)SOURCE_PIECE;
	off_t end = -1;

	if (source->size - source->end >= length)
		end = lseek(source->fd, length, SEEK_CUR);
	if (end >= 0) {
		source->end = end;
		if (end <= source->size && move_window(source)) {
			*ret_piece = source->window + (end - length - source->window_begin);
			return (ssize_t)length;
		}
		source->is_claimed = true;
	}
	stop_mapping(source);
	return 0;
}

/* All of the piece, or what the file has of it. Returns a length in bytes, or a negative errno. */
static ssize_t read_claimed(const struct source *source)
{
	off_t begin = source->end - (off_t)SOURCE_PIECE;
	size_t length = 0;

	while (length < SOURCE_PIECE) {
		ssize_t n = pread(source->fd, source->buffer + length, SOURCE_PIECE - length,
				  begin + (off_t)length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && length == 0)
			return negative_errno();
		if (n <= 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

/* A piece that the descriptor has passed: who shares it may be further on by now. It goes back by
 * what the file lacks. */
static ssize_t take_claimed(struct source *source, const char **ret_piece)
{
	ssize_t n = read_claimed(source);
	off_t lacking = (off_t)SOURCE_PIECE - (n > 0 ? n : 0);

	if (lacking > 0)
		(void)lseek(source->fd, -lacking, SEEK_CUR);
	source->is_claimed = false;
	*ret_piece = source->buffer;
	return n;
}

static ssize_t take_read(struct source *source, uint64_t until, const char **ret_piece)
{
	ssize_t n = descriptor_read(source->fd, source->buffer, SOURCE_PIECE, until);

	if (n == (ssize_t)SOURCE_PIECE)
		consider_mapping(source);
	*ret_piece = source->buffer;
	return n;
}

ssize_t source_take(struct source *source, uint64_t until, const char **ret_piece)
{
	ssize_t n = mapping == source ? take_mapped(source, ret_piece) : 0;

	source->is_mapped = n > 0;
	if (n > 0)
		return n;
	return source->is_claimed ? take_claimed(source, ret_piece)
				  : take_read(source, until, ret_piece);
}

/* The last page of a file that was truncated goes on with zeros, without SIGBUS: only the size
 * tells. It is asked for after the bytes were looked at, as the file may shrink until then. */
bool source_confirm(struct source *source)
{
	struct stat status;

	if (!source->is_mapped)
		return true;
	if (!source->is_lost && fstat(source->fd, &status) == 0 && status.st_size >= source->end) {
		if (!has_holes(&status))
			source->size = status.st_size;
		return true;
	}
	stop_mapping(source);
	source->is_claimed = true;
	return false;
}

/* SPDX-License-Identifier: ISC */

/* world-memory: allocations, which fail when the world says so. */

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "world.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return world_allocation_fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return world_allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *before, size_t size);
void *__wrap_realloc(void *before, size_t size);
void *__wrap_realloc(void *before, size_t size)
{
	return world_allocation_fails() ? NULL : __real_realloc(before, size);
}

void *__real_reallocarray(void *before, size_t count, size_t size);
void *__wrap_reallocarray(void *before, size_t count, size_t size);
void *__wrap_reallocarray(void *before, size_t count, size_t size)
{
	return world_allocation_fails() ? NULL : __real_reallocarray(before, count, size);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return world_allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
	return world_allocation_fails() ? -1 : __real_memfd_create(name, flags);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return world_allocation_fails() ? NULL : __real_strdup(text);
}

/* It allocates a node where the key is new: it does so inside of libc. */
void *__real_tsearch(const void *key, void **root, comparison_fn_t compare);
void *__wrap_tsearch(const void *key, void **root, comparison_fn_t compare);
void *__wrap_tsearch(const void *key, void **root, comparison_fn_t compare)
{
	return world_allocation_fails() ? NULL : __real_tsearch(key, root, compare);
}

/* So is what libsystemd allocates. */
int __real_sd_listen_fds_with_names(int unset, char ***ret_names);
int __wrap_sd_listen_fds_with_names(int unset, char ***ret_names);
int __wrap_sd_listen_fds_with_names(int unset, char ***ret_names)
{
	return world_allocation_fails() ? -ENOMEM
					: __real_sd_listen_fds_with_names(unset, ret_names);
}

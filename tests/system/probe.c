/* SPDX-License-Identifier: ISC */

/*
 * probe: tries what a unit's settings forbid.
 *
 * usage: probe ATTEMPT[=ARGUMENT]…
 *
 * Prints a line for each attempt: "ATTEMPT[=ARGUMENT] ok", or an error's name in place of "ok". It
 * takes no more system calls than our programs do, besides those of the attempts. An attempt that
 * succeeds changes nothing outside of this process that lasts, but for what "leave" leaves.
 *
 * Not its job: which setting forbids what (test-hardening.py).
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#define KEY_SPEC_SESSION_KEYRING (-3)
#define KEYCTL_SEARCH            10
#define SYSLOG_SIZE_BUFFER       10

/* What a system call returned, as an attempt does: 0 or a negative errno. */
static int outcome(long result)
{
	return result < 0 ? -errno : 0;
}

static int try_signal(const char *pid)
{
	return outcome(kill(atoi(pid), 0));
}

static int try_chroot(const char *unused)
{
	(void)unused;
	return outcome(chroot("/"));
}

/* To become root by a file that is root's and set-user-ID. Prints by itself. */
static int try_become_root(const char *file)
{
	return outcome(execl(file, "probe", "is-root", NULL));
}

static int try_is_root(const char *unused)
{
	(void)unused;
	return geteuid() == 0 ? 0 : -EPERM;
}

static int try_chown(const char *group)
{
	return outcome(fchown(memfd_create("probe", 0), (uid_t)-1, (gid_t)atoi(group)));
}

static int try_set_id(const char *unused)
{
	(void)unused;
	return outcome(fchmod(memfd_create("probe", 0), 04755));
}

static int try_read(const char *path)
{
	return outcome(open(path, O_RDONLY | O_CLOEXEC));
}

static int try_write(const char *path)
{
	return outcome(open(path, O_WRONLY | O_CLOEXEC));
}

static int try_create(const char *path)
{
	int r = outcome(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));

	if (r == 0)
		(void)unlink(path);
	return r;
}

/* A file that others may read. */
static int try_share(const char *path)
{
	struct stat status;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	(void)unlink(path);
	return status.st_mode & S_IROTH ? 0 : -EACCES;
}

static int try_mkdir(const char *path)
{
	int r = outcome(mkdir(path, 0755));

	if (r == 0)
		(void)rmdir(path);
	return r;
}

static int try_socket(const char *unused)
{
	(void)unused;
	return outcome(socket(AF_INET, SOCK_DGRAM, 0));
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int try_connect(const char *port)
{
	const struct sockaddr_in to = loopback(port);

	return outcome(connect(socket(AF_INET, SOCK_STREAM, 0), (const void *)&to, sizeof(to)));
}

static int try_send(const char *port)
{
	const struct sockaddr_in to = loopback(port);

	return outcome(
		sendto(socket(AF_INET, SOCK_DGRAM, 0), "", 0, 0, (const void *)&to, sizeof(to)));
}

/* getpid(2) by the door of another architecture. */
static int try_foreign_call(const char *unused)
{
	(void)unused;
#ifdef __x86_64__
	long result = 20;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	return result < 0 ? (int)result : 0;
#else
	return -ENOTSUP;
#endif
}

/* A call that none of our programs makes. */
static int try_other_call(const char *unused)
{
	(void)unused;
	errno = 0;
	(void)getpriority(PRIO_PROCESS, 0);
	return -errno;
}

static int try_kernel_log(const char *unused)
{
	(void)unused;
	return outcome(klogctl(SYSLOG_SIZE_BUFFER, NULL, 0));
}

/* Reads only, but is one of the calls that set the clock. */
static int try_clock(const char *unused)
{
	struct timex nothing = {.modes = 0};

	(void)unused;
	return outcome(adjtimex(&nothing));
}

/* Another one would show elsewhere. */
static int try_hostname(const char *unused)
{
	char name[65];

	(void)unused;
	if (gethostname(name, sizeof(name)) < 0)
		return -errno;
	return outcome(sethostname(name, strlen(name)));
}

static int try_segment(const char *key)
{
	return outcome(shmget(atoi(key), 1, 0));
}

static int try_leave(const char *key)
{
	return outcome(shmget(atoi(key), 1, IPC_CREAT | 0600));
}

static int try_namespace(const char *unused)
{
	(void)unused;
	return outcome(unshare(CLONE_NEWUSER));
}

static int try_realtime(const char *unused)
{
	const struct sched_param param = {.sched_priority = 1}, normal = {0};
	int r = outcome(sched_setscheduler(0, SCHED_RR, &param));

	(void)unused;
	if (r == 0)
		(void)sched_setscheduler(0, SCHED_OTHER, &normal);
	return r;
}

static int try_personality(const char *unused)
{
	(void)unused;
	return outcome(personality(PER_LINUX | ADDR_NO_RANDOMIZE));
}

static int try_write_and_execute(const char *unused)
{
	(void)unused;
	return mmap(NULL, 1, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -errno
		       : 0;
}

/* Is that keyring linked from the session's? */
static int try_key(const char *name)
{
	return outcome(
		syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "keyring", name, 0));
}

/* More descriptors than that. */
static int try_descriptors(const char *number)
{
	return outcome(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, atoi(number)));
}

/* So many processes more; they end with this one. */
static int try_processes(const char *number)
{
	for (int i = 0; i < atoi(number); i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)pause();
			_exit(0);
		}
	}
	return 0;
}

/* More than so many MiB, as "64M". */
static int try_memory(const char *number)
{
	size_t size = (size_t)(atoi(number) + 1) << 20;
	char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	memset(bytes, 1, size);
	return 0;
}

static const struct {
	const char *name;
	int (*try)(const char *argument);
} attempts[] = {
	{"become-root", try_become_root},
	{"chown", try_chown},
	{"chroot", try_chroot},
	{"clock", try_clock},
	{"connect", try_connect},
	{"create", try_create},
	{"descriptors", try_descriptors},
	{"foreign-call", try_foreign_call},
	{"hostname", try_hostname},
	{"is-root", try_is_root},
	{"kernel-log", try_kernel_log},
	{"key", try_key},
	{"leave", try_leave},
	{"memory", try_memory},
	{"mkdir", try_mkdir},
	{"namespace", try_namespace},
	{"other-call", try_other_call},
	{"personality", try_personality},
	{"processes", try_processes},
	{"read", try_read},
	{"realtime", try_realtime},
	{"segment", try_segment},
	{"send", try_send},
	{"set-id", try_set_id},
	{"share", try_share},
	{"signal", try_signal},
	{"socket", try_socket},
	{"write", try_write},
	{"write-and-execute", try_write_and_execute},
};

/* One write(2): dprintf(3) would seek. */
static void say(const char *attempt, const char *result)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "%s %s\n", attempt, result);

	if (write(STDOUT_FILENO, line, (size_t)length) != length)
		_exit(3);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *argument = strchrnul(argv[i], '=');
		size_t length = (size_t)(argument - argv[i]), a = 0;
		const size_t count = sizeof(attempts) / sizeof(attempts[0]);
		int r;

		while (a < count && (strlen(attempts[a].name) != length ||
				     strncmp(attempts[a].name, argv[i], length) != 0))
			a++;
		if (a == count) {
			say(argv[i], "unknown");
			return 2;
		}
		r = attempts[a].try(*argument ? argument + 1 : "");
		say(argv[i], r == 0 ? "ok" : strerrorname_np(-r));
	}
	return 0;
}

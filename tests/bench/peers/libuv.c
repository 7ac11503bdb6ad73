/* SPDX-License-Identifier: ISC */

/*
 * libuv: libuv "stream" | "datagram" PORT|PATH
 *
 * One buffer to read into; uv_try_write() first, as its documentation advises; what that does not
 * take goes into a write request, and reading stops until it is done.
 */

#include <unistd.h>
#include <uv.h>

#include "peer.h"

#define BUFFER_SIZE ((size_t)128 << 10)

union client {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

struct rest {
	uv_write_t request;
	char bytes[];
};

static char buffer[BUFFER_SIZE];

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(buffer, BUFFER_SIZE);
}

static void closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void written(uv_write_t *request, int status)
{
	uv_stream_t *stream = request->handle;

	free(request);
	if (status < 0 && !uv_is_closing((uv_handle_t *)stream))
		uv_close((uv_handle_t *)stream, closed);
	else if (status == 0)
		uv_read_start(stream, give_buffer, on_read);
}

static void write_rest(uv_stream_t *stream, const char *bytes, size_t length)
{
	struct rest *rest = malloc(sizeof(*rest) + length);
	uv_buf_t buf;

	if (!rest)
		peer_die("malloc");
	memcpy(rest->bytes, bytes, length);
	buf = uv_buf_init(rest->bytes, (unsigned)length);
	uv_read_stop(stream);
	if (uv_write(&rest->request, stream, &buf, 1, written) < 0) {
		free(rest);
		uv_close((uv_handle_t *)stream, closed);
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	uv_buf_t reply;
	int sent;

	if (n == 0)
		return;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, closed);
		return;
	}
	peer_upper(buf->base, (size_t)n);
	reply = uv_buf_init(buf->base, (unsigned)n);
	sent = uv_try_write(stream, &reply, 1);
	if (sent < 0 && sent != UV_EAGAIN)
		uv_close((uv_handle_t *)stream, closed);
	else if (sent < n)
		write_rest(stream, buf->base + (sent < 0 ? 0 : sent),
			   (size_t)(n - (sent < 0 ? 0 : sent)));
}

static void on_connection(uv_stream_t *server, int status)
{
	union client *client = malloc(sizeof(*client));

	if (status < 0 || !client)
		peer_die("accept");
	if (server->type == UV_TCP)
		uv_tcp_init(server->loop, &client->tcp);
	else
		uv_pipe_init(server->loop, &client->pipe, 0);
	if (uv_accept(server, &client->stream) == 0)
		uv_read_start(&client->stream, give_buffer, on_read);
	else
		uv_close(&client->handle, closed);
}

static void sent_datagram(uv_udp_send_t *request, int status)
{
	(void)status;
	free(request);
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf,
			const struct sockaddr *source, unsigned flags)
{
	uv_buf_t reply;

	(void)flags;
	if (n < 0 || !source)
		return;
	peer_upper(buf->base, (size_t)n);
	reply = uv_buf_init(buf->base, (unsigned)n);
	if (uv_udp_try_send(udp, &reply, 1, source) == UV_EAGAIN) {
		uv_udp_send_t *request = malloc(sizeof(*request) + (size_t)n);

		if (!request)
			return;
		reply.base = memcpy(request + 1, buf->base, (size_t)n);
		if (uv_udp_send(request, udp, &reply, 1, source, sent_datagram) < 0)
			free(request);
	}
}

int main(int argc, char **argv)
{
	static union client server;
	static uv_udp_t udp;
	uv_loop_t *loop = uv_default_loop();
	struct sockaddr_storage address;
	int r;

	if (argc != 3)
		return 2;
	peer_address(argv[2], &address);
	if (strcmp(argv[1], "datagram") == 0) {
		uv_udp_init(loop, &udp);
		r = uv_udp_bind(&udp, (struct sockaddr *)&address, 0);
		if (r == 0)
			r = uv_udp_recv_start(&udp, give_buffer, on_datagram);
	} else {
		if (*argv[2] == '/') {
			uv_pipe_init(loop, &server.pipe, 0);
			r = uv_pipe_bind(&server.pipe, argv[2]);
		} else {
			uv_tcp_init(loop, &server.tcp);
			r = uv_tcp_bind(&server.tcp, (struct sockaddr *)&address, 0);
			/* Those accepted from it have it, too. */
			(void)uv_tcp_nodelay(&server.tcp, 1);
		}
		if (r == 0)
			r = uv_listen(&server.stream, SOMAXCONN, on_connection);
	}
	if (r < 0) {
		fprintf(stderr, "libuv: %s\n", uv_strerror(r));
		return 1;
	}
	return uv_run(loop, UV_RUN_DEFAULT);
}

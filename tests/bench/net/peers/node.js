// SPDX-License-Identifier: ISC

// node: node.js stream|datagram PORT|PATH
'use strict';

const net = require('net');
const dgram = require('dgram');

function upper(bytes) {
  for (let i = 0; i < bytes.length; i++)
    if (bytes[i] >= 97 && bytes[i] <= 122)
      bytes[i] -= 32;
  return bytes;
}

const [kind, address] = process.argv.slice(2);
if (kind === 'datagram') {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (bytes, source) => socket.send(upper(bytes), source.port, source.address));
  socket.bind(Number(address), '127.0.0.1');
} else {
  const server = net.createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.on('drain', () => connection.resume());
    connection.on('data', (bytes) => {
      if (!connection.write(upper(bytes)))
        connection.pause();
    });
  });
  if (address.startsWith('/'))
    server.listen({ path: address, backlog: 4096 });
  else
    server.listen({ port: Number(address), host: '127.0.0.1', backlog: 4096 });
}

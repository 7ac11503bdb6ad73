// SPDX-License-Identifier: ISC

// node: node.js stream|datagram PORT|PATH
'use strict';

const net = require('net');
const dgram = require('dgram');

// Four bytes at a time and without a branch, where that pays and alignment lets one (it does in streams): a
// loop with an if is seven times as slow.
function upper(bytes) {
  let i = 0;
  if (bytes.length >= 64 && bytes.byteOffset % 4 === 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (; i < words.length; i++) {
      const low = words[i] & 0x7f7f7f7f;
      const lower = ~words[i] & ((low + 0x1f1f1f1f) ^ (low + 0x05050505)) & 0x80808080;
      words[i] -= lower >>> 2;
    }
    i <<= 2;
  }
  for (; i < bytes.length; i++)
    bytes[i] ^= (bytes[i] - 97 >>> 0 < 26) << 5;
  return bytes;
}

const [kind, address] = process.argv.slice(2);
if (kind === 'datagram') {
  // Addresses are no names to be looked up.
  const lookup = (address, _options, callback) => callback(null, address, 4);
  const socket = dgram.createSocket({ type: 'udp4', lookup });
  socket.on('message', (bytes, source) => socket.send(upper(bytes), source.port, source.address));
  socket.bind(Number(address), '127.0.0.1');
} else {
  const server = net.createServer({ noDelay: true }, (connection) => {
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
